// T11, T12: the destination of a mount is exchanged for a link while the mount is made (CVE-2021-30465), or
// directories are made on the way to it (CVE-2024-45310). Two containers share a volume.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { type Arena, isOwnFailure, races, sung } from './arena.ts';
import { attack } from './attack.ts';
import { neighbour } from './race.ts';

function sharedVolume(arena: Arena): string {
  return arena.volume('shared', (path) => {
    mkdirSync(`${path}/place/below`, { recursive: true });
    symlinkSync(arena.canary, `${path}/trick`);
  });
}

const volume = (source: string) => [
  ...MOUNTS,
  { destination: '/shared', type: 'bind', source, options: ['rbind', 'rw'] },
];

/** Starts containers with a mount at `destination` while another one exchanges `place` and `trick` in the volume. */
async function raced(
  arena: Arena,
  count: number,
  destination: string,
  judge: (stdout: string) => string[],
): Promise<string[]> {
  const shared = sharedVolume(arena);
  const swapper = await neighbour(
    arena,
    { mounts: volume(shared) },
    'exec probe swap /shared/place /shared/trick',
    'swapping',
  );
  const evidence: string[] = [];
  let started = 0;
  for (let i = 0; i < count && evidence.length === 0; i++) {
    const mounts = [...volume(shared), { destination, type: 'tmpfs', source: 'attack-source' }];
    const { code, stdout, stderr } = arena.oci(
      { mounts },
      'grep attack-source /proc/self/mountinfo; cat /shared/*/secret 2>/dev/null; true',
    );
    if (code === 0) started++;
    else if (!isOwnFailure({ code, stdout, stderr })) evidence.push(stderr);
    evidence.push(...sung(stdout));
    if (code === 0) evidence.push(...judge(stdout));
  }
  assert.doesNotMatch(await swapper.end(), /renameat2/);
  assert.ok(started > 0, 'none of the containers started');
  return evidence;
}

attack({
  id: 'T11',
  title: 'a mount lands inside the root while its destination is exchanged for a link',
  modes: ['R', 'U'],
  caught: [
    ['mounts by path', 'R'],
    ['paths that leave the root', 'R'],
  ],
  run: (arena) =>
    raced(arena, races(arena), '/shared/place', (stdout) =>
      stdout.includes('attack-source') ? [] : ['started, and the mount is not in the container'],
    ),
});

attack({
  id: 'T12',
  title: 'directories are made inside the root while one on the way is exchanged for a link',
  modes: ['R', 'U'],
  caught: [['paths that leave the root', 'R']],
  run: (arena) =>
    raced(arena, races(arena), '/shared/place/made/by/caisson', () =>
      existsSync(`${arena.canary}/made`) ? ['a directory was made in the canary'] : [],
    ),
});
