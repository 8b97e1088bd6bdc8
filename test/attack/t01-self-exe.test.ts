// T01, T02: the program that a container could overwrite to be run by root next time (CVE-2019-5736, CVE-2022-0847).
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { type Arena, rounds } from './arena.ts';
import { attack } from './attack.ts';
import { hashOf } from './oracle.ts';
import { neighbour } from './race.ts';

const CAPABILITIES = [
  'CAP_SYS_PTRACE',
  'CAP_DAC_OVERRIDE',
  'CAP_KILL',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETPCAP',
];
const ATTACKER = {
  capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
};

/** A namespace of the other container, by path. */
const joined = (types: readonly string[], pid: number) =>
  types.map((type) => ({ type, path: `/proc/${pid}/ns/${type}` }));

const OWN = ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type }));

attack({
  id: 'T01',
  title: 'programs that are being started are no way to write to the launcher',
  modes: ['R', 'U'],
  caught: [['a launcher that is not sealed', 'R']],
  run: async (arena) => {
    const hash = hashOf(arena.program);
    const attacker = await neighbour(arena, { process: ATTACKER }, 'exec probe overwrite', 'watching');
    // The interpreter of the script is the program that executes it: the launcher, inside the container.
    const image = arena.image((root) =>
      writeFileSync(`${root}/bin/entry`, '#!/proc/self/exe\n', { mode: 0o755 }),
    );
    const namespaces = [...OWN, ...joined(arena.mode === 'U' ? ['pid', 'user'] : ['pid'], attacker.pid)];
    let started = 0;
    for (let i = 0; i < rounds(60, 500) && !attacker.started.stdout.includes('wrote'); i++) {
      // The attacker's output is read between two starts.
      await new Promise((resolve) => setImmediate(resolve));
      const args = i % 2 === 0 ? ['/bin/entry'] : ['/bin/true'];
      const ended = arena.oci(
        { process: { ...ATTACKER, args }, root: { path: image }, linux: { namespaces } },
        '',
      );
      if (ended.code === 0) started++;
    }
    assert.ok(started > 0, 'none of them could join the attacker');
    const seen = await attacker.end();
    const evidence = seen.split('\n').filter((line) => line.startsWith('wrote'));
    if (hashOf(arena.program) !== hash) evidence.push('the executable has changed');
    return evidence;
  },
});

attack({
  id: 'T01',
  title: 'an entry point that is the launcher itself ends at once',
  modes: ['R', 'L', 'U'],
  caught: [],
  run: (arena) => {
    const image = arena.image((root) =>
      writeFileSync(`${root}/bin/entry`, '#!/proc/self/exe\n', { mode: 0o755 }),
    );
    const { code, stdout } = arena.oci({ process: { args: ['/bin/entry', '3'] }, root: { path: image } }, '');
    // 1 is caisson's own, 122 the launcher's usage, 120 that it has no channel.
    return stdout === '' && [1, 120, 122, 126, 127].includes(code) ? [] : [`exit ${code}: ${stdout}`];
  },
});

/** The launcher of a container: the parent of its first process. There is no created state yet; this one sleeps. */
function launcherOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

attack({
  id: 'T02',
  title: 'the launcher beside a container runs from a sealed memory file of its own',
  modes: ['R', 'L', 'U'],
  caught: [['a launcher that is not sealed', 'R']],
  run: async (arena: Arena) => {
    const { pid, end } = await neighbour(arena, {}, 'echo ready; cat', 'ready');
    const launcher = launcherOf(pid);
    const exe = `/proc/${launcher}/exe`;
    const evidence: string[] = [];
    const link = readlinkSync(exe);
    if (!/^\/memfd:caisson-launcher \(deleted\)$/.test(link)) evidence.push(`it runs from ${link}`);
    const [memory, installed] = [statSync(exe), statSync(arena.program)];
    if (memory.dev === installed.dev) evidence.push('it runs from the file system of the installed program');
    const { stdout } = arena.asCaller([arena.probe, 'seals', exe]);
    const seals = Number.parseInt(/^seals ([0-9a-f]+)/.exec(stdout)?.[1] ?? '0', 16);
    // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE
    if ((seals & 0xf) !== 0xf) evidence.push(`its seals are ${stdout.trim()}`);
    await end();
    return evidence;
  },
});
