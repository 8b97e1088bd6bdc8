// T16, T17: supplementary groups are those of the configuration (CVE-2022-36109, CVE-2014-8989), and identity maps
// that the kernel would take apart or refuse late are refused before anything is made (CVE-2018-18955).
import { spawnSync } from 'node:child_process';
import type { Part } from '../harness/caisson.ts';
import { type Arena, refusedClearly } from './arena.ts';
import { attack } from './attack.ts';

/** The groups of a caller who has some: setpriv gives them to caisson. */
function asGroups(arena: Arena, user: Part): string[] {
  const prefix = ['setpriv', '--groups', '20,27,44'];
  const ended = arena.oci({ process: { user } }, 'grep ^Groups: /proc/self/status', { prefix });
  return ended.code === 0
    ? (/^Groups:\s*(.*)$/m.exec(ended.stdout)?.[1] ?? '')
        .trim()
        .split(/\s+/)
        .filter((id) => id !== '')
    : [`${ended.stderr}`];
}

attack({
  id: 'T16',
  title: 'supplementary groups are those of the configuration, not those of the caller',
  modes: ['R', 'U'],
  caught: [
    ['groups of the caller', 'R'],
    ['groups of the caller', 'U'],
  ],
  run: (arena) => {
    const evidence: string[] = [];
    for (const additionalGids of [undefined, [], [50], [63, 50, 1001]]) {
      const found = asGroups(arena, { uid: 1000, gid: 1001, additionalGids });
      const wanted = [...(additionalGids ?? [])].sort((a, b) => a - b).map(String);
      if (found.join() !== wanted.join()) evidence.push(`groups ${found.join()}, not ${wanted.join()}`);
    }
    return evidence;
  },
});

attack({
  id: 'T16',
  title: 'in a map that an ordinary user wrote nobody can drop a group',
  modes: ['L'],
  caught: [],
  run: (arena) => {
    const { stdout } = arena.oci({}, 'cat /proc/self/setgroups; probe groups');
    return stdout === 'deny\nsetgroups EPERM\n' ? [] : [`setgroups: ${stdout}`];
  },
});

const one = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size });
const NAMESPACES = ['user', 'mount', 'pid', 'ipc', 'uts', 'network'].map((type) => ({ type }));

const BAD: Readonly<Record<string, readonly Part[]>> = {
  'overlap inside': [one(0, 100000, 10), one(9, 200000, 10)],
  'overlap outside': [one(0, 100000, 10), one(20, 100009, 10)],
  'the same twice': [one(0, 100000, 1), one(0, 100000, 1)],
  'length 0': [one(0, 100000, 0)],
  'beyond the last id': [one(0, 4294967290, 10)],
  'beyond 32 bits': [one(0, 4294967296, 1)],
  negative: [one(0, -1, 1)],
  '341 lines': Array.from({ length: 341 }, (_, n) => one(n, 100000 + 2 * n, 1)),
};

attack({
  id: 'T17',
  title: 'bad identity maps are refused by name',
  modes: ['L', 'U'],
  caught: [['identity maps that overlap', 'U']],
  run: (arena) => {
    const evidence: string[] = [];
    for (const [name, map] of Object.entries(BAD)) {
      for (const field of ['uidMappings', 'gidMappings']) {
        const good = [one(0, arena.mode === 'L' ? arena.caller.uid : 100000, 1)];
        const maps = {
          uidMappings: good,
          gidMappings: [one(0, arena.mode === 'L' ? arena.caller.gid : 100000, 1)],
          [field]: map,
        };
        const ended = arena.oci({ linux: { namespaces: NAMESPACES, ...maps } }, 'echo started');
        if (ended.stdout.includes('started')) evidence.push(`${name} in ${field}: started`);
        else if (!refusedClearly(ended) || !ended.stderr.includes(field))
          evidence.push(`${name} in ${field}: ${ended.stderr}`);
        else if (/write|EINVAL|system call/.test(ended.stderr))
          evidence.push(`${name} in ${field}: refused only by the kernel: ${ended.stderr}`);
      }
    }
    return evidence;
  },
});

attack({
  id: 'T17',
  title: "a map of ids that are not the user's is refused",
  modes: ['L'],
  caught: [],
  run: (arena) => {
    const evidence: string[] = [];
    for (const map of [one(0, 0, 1), one(0, 1, 1), one(0, 0, 65536), one(0, arena.caller.uid + 1, 1)]) {
      const ended = arena.oci({ linux: { uidMappings: [map], gidMappings: [map] } }, 'echo started');
      if (ended.stdout.includes('started') || !refusedClearly(ended))
        evidence.push(`${JSON.stringify(map)}: ${ended.stdout}${ended.stderr}`);
    }
    // The ids are not taken with a tool of the caller's own PATH either.
    const own = arena.volume('path', (path) => spawnSync('cp', ['/bin/true', `${path}/newuidmap`]));
    const ended = arena.oci({ linux: { uidMappings: [one(0, 0, 65536)] } }, 'echo started', {
      prefix: ['/usr/bin/env', `PATH=${own}`],
    });
    return ended.stdout.includes('started') ? [...evidence, 'started with a map of root'] : evidence;
  },
});
