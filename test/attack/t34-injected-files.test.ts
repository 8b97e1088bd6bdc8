// T34: files that the engine puts into a container (hosts, hostname, resolv.conf, secrets), where the image has links,
// FIFOs, sockets and directories in their places (CVE-2025-9566, CVE-2025-24965).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isOwnFailure, refusedClearly, SECRET, sung } from './arena.ts';
import { attack } from './attack.ts';

/** What an image may have at the place of a file, or of a directory on the way to it. */
const KINDS: Readonly<Record<string, (path: string, canary: string) => void>> = {
  'link to a file of the host': (path, canary) => symlinkSync(`${canary}/secret`, path),
  'relative link out of the root': (path, canary) =>
    symlinkSync(`../../../../../../../..${canary}/secret`, path),
  'link through the root of a process': (path, canary) => symlinkSync(`/proc/1/root${canary}/secret`, path),
  'link to a directory of the host': (path, canary) => symlinkSync(`${canary}/inside`, path),
  'link to a file that is to be made': (path, canary) => symlinkSync(`${canary}/made`, path),
  'link to itself': (path) => symlinkSync(path.slice(path.lastIndexOf('/') + 1), path),
  fifo: (path) => execFileSync('mkfifo', [path]),
  directory: (path) => mkdirSync(path),
};

const PLACES = [
  ...['etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'etc/key', 'run/secrets', 'run/secrets/token'],
  ...['etc', 'run'],
];
const INJECTED = 'what-the-engine-has-injected';

attack({
  id: 'T34',
  title: 'links, FIFOs and directories where the engine puts its files: nothing outside is written or read',
  modes: ['R', 'L', 'U'],
  caught: [
    ['paths that leave the root', 'R'],
    ['paths that leave the root', 'L'],
  ],
  run: (arena) => {
    const evidence: string[] = [];
    const source = `${arena.makeDirectory('own')}/token`;
    writeFileSync(source, INJECTED);
    arena.own(source);
    const secrets = ['--secret', `src=${source}`, '--secret', `src=${source},target=/etc/key`];
    const flags = [...secrets, '--hostname', 'box', '--dns', '192.0.2.1', ...arena.flags];
    const script =
      'cat /etc/hosts /etc/hostname /etc/resolv.conf /etc/key /run/secrets/token; echo x > /run/secrets/new';
    for (const place of PLACES) {
      for (const [kind, make] of Object.entries(KINDS)) {
        const image = arena.image((root) => {
          mkdirSync(`${root}/run/secrets`, { recursive: true });
          rmSync(`${root}/${place}`, { recursive: true, force: true });
          make(`${root}/${place}`, arena.canary);
        });
        const ended = arena.run([...flags, '--rootfs', image], script);
        if (isOwnFailure(ended) && !refusedClearly(ended))
          evidence.push(`${place} as ${kind}: ${ended.stderr}`);
        evidence.push(...sung(ended.stdout));
        evidence.push(...written(arena.canary).map((what) => `${place} as ${kind}: ${what}`));
        if (evidence.length > 0) return evidence;
      }
    }
    return evidence;
  },
});

/** What has changed in the canary. */
function written(canary: string): string[] {
  const names = [...readdirSync(canary), ...readdirSync(`${canary}/inside`)].sort();
  return [
    ...(readFileSync(`${canary}/secret`, 'latin1') === `${SECRET}\n`
      ? []
      : ['the file of the host was written']),
    ...(names.join() === 'inside,secret' ? [] : [`made on the host: ${names.join(' ')}`]),
  ];
}
