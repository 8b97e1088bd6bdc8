// T07: /dev/console, /dev/ptmx and /dev/pts that an image or another container has put something else for
// (CVE-2025-52565).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { type Arena, refusedClearly, rounds, sung } from './arena.ts';
import { attack } from './attack.ts';
import { whileSwapping } from './race.ts';

/** The console must be the very terminal that standard input is, and nothing of the canary may be there. */
const SCRIPT = `if test -c /dev/console; then
  a=$(stat -c %t:%T /dev/console); b=$(stat -L -c %t:%T /proc/self/fd/0); test $a = $b || echo "console $a stdin $b"
else echo "console is no device: $(ls -ld /dev/console)"; fi
grep -c ' /dev/console ' /proc/self/mountinfo | grep -qx 1 || echo "console is not mounted"; echo end`;

const WITHOUT_DEV = MOUNTS.filter(({ destination }) => destination !== '/dev' && destination !== '/dev/shm');

function start(arena: Arena, path: string): string[] {
  // A /dev of the image: there is no file system over it, and devices are made in it, as far as that is allowed.
  const ended = arena.oci({ process: { terminal: true }, root: { path }, mounts: WITHOUT_DEV }, SCRIPT);
  const { code, stdout } = ended;
  if (code !== 0) return refusedClearly(ended) ? [] : [`exit ${code}: ${ended.stderr}${stdout}`];
  assert.match(stdout, /end\r?\n$/);
  const strange = stdout.split(/\r?\n/).filter((line) => line !== '' && line !== 'end');
  return [...strange, ...sung(stdout)];
}

const TRICKS: Readonly<Record<string, (dev: string, arena: Arena) => void>> = {
  'console, link to the host': (dev, arena) => symlinkSync(`${arena.canary}/secret`, `${dev}/console`),
  'console, link by ..': (dev, arena) =>
    symlinkSync(`../../../../../../../..${arena.canary}/secret`, `${dev}/console`),
  'console, link to procfs': (dev) => symlinkSync('/proc/sys/fs/lease-break-time', `${dev}/console`),
  'console, file': (dev) => writeFileSync(`${dev}/console`, ''),
  'console, fifo': (dev) => execFileSync('mkfifo', [`${dev}/console`]),
  'console, directory': (dev) => mkdirSync(`${dev}/console`),
  'pts, link to the host': (dev, arena) => {
    rmSync(`${dev}/pts`, { recursive: true, force: true });
    symlinkSync(arena.canary, `${dev}/pts`);
  },
  'pts, file': (dev) => {
    rmSync(`${dev}/pts`, { recursive: true, force: true });
    writeFileSync(`${dev}/pts`, '');
  },
  'ptmx, link to the host': (dev, arena) => symlinkSync(`${arena.canary}/secret`, `${dev}/ptmx`),
  'ptmx, fifo': (dev) => execFileSync('mkfifo', [`${dev}/ptmx`]),
};

attack({
  id: 'T07',
  title: 'a terminal where the image has links, files and fifos',
  modes: ['R', 'L', 'U'],
  caught: [['a console that follows links', 'R']],
  run: (arena) => {
    const evidence: string[] = [];
    for (const [name, trick] of Object.entries(TRICKS)) {
      const image = arena.image((root) => {
        mkdirSync(`${root}/dev/pts`, { recursive: true });
        trick(`${root}/dev`, arena);
      });
      evidence.push(...start(arena, image).map((line) => `${name}: ${line}`));
    }
    return evidence;
  },
});

attack({
  id: 'T07',
  title: 'the console is exchanged for a link while a terminal is made',
  modes: ['R', 'L', 'U'],
  caught: [['a console that follows links', 'R']],
  run: (arena) => {
    const image = arena.image((root) => {
      mkdirSync(`${root}/dev/pts`, { recursive: true });
      writeFileSync(`${root}/dev/console`, '');
      symlinkSync(`${arena.canary}/secret`, `${root}/dev/trick`);
    });
    // What has been mounted on cannot be renamed by others; what the script sees may have been exchanged since.
    const script = `stat -L -c %t:%T /proc/self/fd/0; grep -c ' /dev/\\(console\\|trick\\) ' /proc/self/mountinfo`;
    return whileSwapping(arena, `${image}/dev/console`, `${image}/dev/trick`, () => {
      const evidence: string[] = [];
      for (let i = 0; i < rounds(40, 2000) && evidence.length === 0; i++) {
        for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty'])
          rmSync(`${image}/dev/${name}`, { force: true });
        const ended = arena.oci(
          { process: { terminal: true }, root: { path: image }, mounts: WITHOUT_DEV },
          script,
        );
        const mounted = ended.stdout.trim().split(/\r?\n/).at(-1);
        if (ended.code === 0 && mounted === '0')
          evidence.push(`started, and the terminal is mounted elsewhere: ${ended.stdout}`);
        if (ended.code !== 0 && !refusedClearly(ended)) evidence.push(`exit ${ended.code}: ${ended.stderr}`);
      }
      return evidence;
    });
  },
});
