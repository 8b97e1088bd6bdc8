// T08: /dev, /etc, /run and others of an image that are links to a directory of the host (CVE-2026-41579,
// CVE-2026-47766, CVE-2025-24965).
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { isOwnFailure, long, refusedClearly, sung } from './arena.ts';
import { attack } from './attack.ts';

const NAMES = long ? ['dev', 'etc', 'run', 'tmp', 'home'] : ['dev', 'etc', 'run'];

attack({
  id: 'T08',
  title: 'directories of the image that are links to the host: nothing is made or mounted there',
  modes: ['R', 'L', 'U'],
  caught: [
    ['links as /dev that leave the root', 'R'],
    ['paths that leave the root', 'R'],
    ['paths that leave the root', 'L'],
  ],
  run: (arena) => {
    const evidence: string[] = [];
    const script = 'cat /dev/secret /etc/secret /run/secret 2>/dev/null; true';
    for (const name of NAMES) {
      if (evidence.length > 0) break;
      for (const target of [
        arena.canary,
        `../../../../../../../..${arena.canary}`,
        `/proc/self/root${arena.canary}`,
      ]) {
        const image = arena.image((root) => {
          rmSync(`${root}/${name}`, { recursive: true, force: true });
          symlinkSync(target, `${root}/${name}`);
          if (name === 'etc') writeFileSync(`${root}/config`, '');
        });
        const more = { destination: `/${name}/made/by/caisson`, type: 'tmpfs', source: 'tmpfs' };
        const file = {
          destination: `/${name}/made-file`,
          type: 'bind',
          source: arena.probe,
          options: ['bind', 'ro'],
        };
        const configurations = [
          { root: { path: image }, mounts: [...MOUNTS, more] },
          { root: { path: image }, mounts: [...MOUNTS, file] },
          {
            root: { path: image },
            mounts: MOUNTS.filter(({ destination }) => destination === '/proc'),
            process: { cwd: `/${name}/cwd` },
          },
        ];
        for (const configuration of configurations) {
          const ended = arena.oci(configuration, script);
          if (isOwnFailure(ended) && !refusedClearly(ended)) evidence.push(ended.stderr);
          evidence.push(...sung(ended.stdout));
        }
        // hosts, hostname and resolv.conf are put into /etc by the command line.
        const flags = ['--rootfs', image, '--hostname', 'box'];
        const ended = arena.run([...arena.flags, ...flags], script);
        if (ended.code === 125 && !refusedClearly(ended)) evidence.push(ended.stderr);
        evidence.push(...sung(ended.stdout));
      }
    }
    return evidence;
  },
});
