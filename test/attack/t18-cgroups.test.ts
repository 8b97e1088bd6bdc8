// T18: cgroups: nothing outside the container's own can be written, none of another hierarchy mounted, and
// release_agent, which runs a program on the host, cannot be reached (CVE-2022-0492, CVE-2023-25809).

import { CAPABILITIES, capabilities, MOUNTS, NAMESPACES } from '../harness/caisson.ts';
import type { Arena } from './arena.ts';
import { attack } from './attack.ts';

const WITH_CGROUP = [
  ...MOUNTS,
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'ro'],
  },
];

/** Tries to change every cgroup file and to make a directory in every directory. */
const WRITE = `find /sys/fs/cgroup -type d 2>/dev/null | while read -r each; do
  mkdir "$each/attack-made" 2>/dev/null && { echo "made $each/attack-made"; rmdir "$each/attack-made"; }
done
find /sys/fs/cgroup -name release_agent 2>/dev/null | while read -r each; do echo "sees $each"; done
find /sys/fs/cgroup -type f -name "*.procs" 2>/dev/null | while read -r each; do
  { echo 0 > "$each"; } 2>/dev/null && echo "wrote $each"
done; true`;

attack({
  id: 'T18',
  title: 'the cgroups that a container sees are its own and cannot be written',
  modes: ['R', 'U'],
  caught: [['cgroups that can be written', 'R']],
  run: (arena) =>
    arena
      .ociOutput({ mounts: WITH_CGROUP }, WRITE)
      .split('\n')
      .filter((line) => line !== ''),
});

attack({
  id: 'T18',
  title: 'the defaults of the command line',
  modes: ['R', 'L', 'U'],
  caught: [['cgroups that can be written', 'R']],
  run: (arena) => {
    const { stdout } = arena.runDefault([], ['/bin/sh', '-c', WRITE]);
    return stdout.split('\n').filter((line) => line !== '');
  },
});

attack({
  id: 'T18',
  title: 'the root of the cgroup namespace is the own cgroup',
  modes: ['R', 'U'],
  caught: [['the cgroup namespace of the host', 'R']],
  run: (arena) => {
    const lines = arena.ociOutput({}, 'cat /proc/self/cgroup; cat /proc/1/cgroup').split('\n');
    return lines.filter((line) => !/^\d+:[^:]*:\/$/.test(line)).map((line) => `sees ${line}`);
  },
});

/** Everything but the right to be root of the host: what a careless configuration gives. */
const MOUNTER = capabilities([...CAPABILITIES, 'CAP_SYS_ADMIN']);

function release(arena: Arena, how: string): string[] {
  const process = { capabilities: how === 'user' ? capabilities(CAPABILITIES) : MOUNTER };
  const namespaces = arena.mode === 'R' && how !== 'user' ? [...NAMESPACES, { type: 'user' }] : undefined;
  const maps = {
    uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
  };
  const root = namespaces === undefined ? {} : { linux: { namespaces, ...maps } };
  const { stdout } = arena.oci({ process, ...root }, `probe release ${how}`);
  return stdout.split('\n').filter((line) => line === 'release_agent ok');
}

attack({
  id: 'T18',
  title: "release_agent is out of reach in namespaces of the attacker's own",
  modes: ['R', 'L', 'U'],
  caught: [],
  run: (arena) => [...release(arena, 'user'), ...(arena.mode === 'R' ? [] : release(arena, 'own'))],
});

attack({
  id: 'T18',
  title: 'mounting a hierarchy is refused by the defaults of the command line',
  modes: ['R', 'L', 'U'],
  caught: [['no filter of system calls', 'L']],
  run: (arena) => {
    const { stdout } = arena.runDefault([], ['/bin/probe', 'release', 'user']);
    return /^unshare EPERM\n$/.test(stdout) ? [] : [stdout];
  },
});
