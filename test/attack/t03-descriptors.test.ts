// T03: what a careless caller has open is in no container and in no launcher (CVE-2024-21626).

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rounds } from './arena.ts';
import { attack } from './attack.ts';
import { neighbour } from './race.ts';

const LEAKED = 300;

attack({
  id: 'T03',
  title: '300 descriptors of a caller do not arrive in the container',
  modes: ['R', 'L', 'U'],
  caught: [['descriptors of the caller', 'R']],
  run: (arena) => {
    const evidence: string[] = [];
    const prefix = [arena.probe, 'leak', String(LEAKED), arena.canary];
    const script = 'cd /proc/self/fd && for each in *; do echo $each; done';
    for (let i = 0; i < rounds(3, 50); i++) {
      const { code, stdout, stderr } = arena.oci({}, script, { prefix });
      // The shell opens the directory to list it.
      const open = stdout.split('\n').filter((line) => line !== '' && Number(line) > 2);
      if (code !== 0) evidence.push(`did not start: ${stderr}`);
      if (open.length > 1) evidence.push(`open in the container: ${open.join(' ')}`);
    }
    return evidence;
  },
});

/** What a launcher may have open beside a running container. */
const ALLOWED = [/^socket:/, /^pipe:/, /^anon_inode:\[pidfd\]$/, /^pidfd:/, /^\/dev\/null$/];

attack({
  id: 'T03',
  title: 'the launcher beside a container has nothing of the caller open',
  modes: ['R', 'L', 'U'],
  caught: [['descriptors of the caller', 'R']],
  run: async (arena) => {
    const prefix = [arena.probe, 'leak', String(LEAKED), arena.canary];
    const { pid, end } = await neighbour(arena, {}, 'echo ready; cat', 'ready', { prefix });
    const launcher = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const links = readdirSync(`/proc/${launcher}/fd`).map((fd) => readlinkSync(`/proc/${launcher}/fd/${fd}`));
    await end();
    // Its child's directory of procfs, for the identity map, and the mount namespace that it goes back to.
    const own = [`/proc/${pid}`, readlinkSync(`/proc/self/ns/mnt`)];
    const strange = links.filter(
      (link) => !own.includes(link) && !ALLOWED.some((pattern) => pattern.test(link)),
    );
    const canary = strange.filter((link) => link.startsWith(arena.canary));
    return [
      ...(canary.length > 0 ? [`${canary.length} descriptors of the canary`] : []),
      ...strange.filter((link) => !canary.includes(link)),
    ];
  },
});
