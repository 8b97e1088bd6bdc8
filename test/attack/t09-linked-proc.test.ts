// T09: an image whose /proc or /sys is a link or a file (CVE-2019-19921, CVE-2023-27561): refused, and said so.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { refusedClearly } from './arena.ts';
import { attack } from './attack.ts';

const KINDS: Readonly<Record<string, (path: string, canary: string) => void>> = {
  'link to a directory of the image': (path) => symlinkSync('/elsewhere', path),
  'relative link': (path) => symlinkSync('elsewhere', path),
  'link to the host': (path, canary) => symlinkSync(canary, path),
  'dangling link': (path) => symlinkSync('/nowhere', path),
  'link to itself': (path) => symlinkSync(path.slice(path.lastIndexOf('/')), path),
  file: (path) => writeFileSync(path, ''),
  fifo: (path) => execFileSync('mkfifo', [path]),
};

attack({
  id: 'T09',
  title: '/proc and /sys of the image that are no directories',
  modes: ['R', 'L', 'U'],
  caught: [['links as /proc, /sys and /dev', 'R']],
  run: (arena) => {
    const evidence: string[] = [];
    for (const name of ['proc', 'sys']) {
      for (const [kind, make] of Object.entries(KINDS)) {
        const image = arena.image((root) => {
          mkdirSync(`${root}/elsewhere`);
          rmSync(`${root}/${name}`, { recursive: true });
          make(`${root}/${name}`, arena.canary);
        });
        for (const ended of [
          arena.oci({ root: { path: image } }, 'echo started'),
          arena.run([...arena.flags, '--rootfs', image], 'echo started'),
        ]) {
          if (ended.stdout.includes('started')) evidence.push(`/${name} as ${kind}: started`);
          else if (!refusedClearly(ended) || !ended.stderr.includes(`/${name}`))
            evidence.push(`/${name} as ${kind}: ${ended.stderr}`);
        }
      }
    }
    return evidence;
  },
});
