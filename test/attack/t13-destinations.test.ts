// T13: destinations of mounts of every odd kind: inside the root, or refused in one clear line.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { type Arena, isOwnFailure, refusedClearly, sung } from './arena.ts';
import { attack } from './attack.ts';

const LINKS_IN_A_CHAIN = 41;

function oddImage(arena: Arena): string {
  return arena.image((root) => {
    symlinkSync(arena.canary, `${root}/absolute`);
    symlinkSync(`../../../../../../..${arena.canary}`, `${root}/dots`);
    symlinkSync('/nowhere/at/all', `${root}/dangling`);
    symlinkSync('loop', `${root}/loop`);
    symlinkSync('/proc/self/root', `${root}/magic`);
    symlinkSync('/proc/1/root', `${root}/init`);
    writeFileSync(`${root}/file`, '');
    mkdirSync(`${root}/chain-${LINKS_IN_A_CHAIN}`);
    for (let i = LINKS_IN_A_CHAIN - 1; i >= 0; i--) symlinkSync(`chain-${i + 1}`, `${root}/chain-${i}`);
  });
}

const path4096 = `/${Array.from({ length: 16 }, () => 'x'.repeat(255)).join('/')}`;

function destinations(canary: string): string[] {
  return [
    ...[
      '/..',
      '/../..',
      `/../../../../../../../..${canary}/made`,
      'relative',
      '../relative',
      '/absolute',
      '/absolute/made',
    ],
    ...[
      '/dots/made',
      '/dangling',
      '/dangling/made',
      '/loop',
      '/loop/made',
      `/magic${canary}/made`,
      `/init${canary}/made`,
    ],
    ...[
      '/chain-0',
      '/chain-0/made',
      '//double//slash',
      '/trailing/.',
      '/trailing/',
      '/./dot',
      '/file',
      '/file/below',
      '/',
    ],
    ...[
      `/${'n'.repeat(255)}`,
      `/${'n'.repeat(256)}`,
      path4096.slice(0, 4095),
      path4096,
      '/with\0nul',
      '/new\nline',
      '/Ünïcödé',
      '',
    ],
    ...['/proc/self/fd/3', '/proc/self/root/made', '/dev/fd/3/made', '/sys/made'],
  ];
}

attack({
  id: 'T13',
  title: 'odd destinations of mounts',
  modes: ['R', 'L', 'U'],
  caught: [
    ['paths that leave the root', 'R'],
    ['paths that leave the root', 'L'],
  ],
  run: (arena) => {
    const evidence: string[] = [];
    const image = oddImage(arena);
    for (const destination of destinations(arena.canary)) {
      const made = { destination, type: 'tmpfs', source: 'attack-source' };
      const bound = { destination, type: 'bind', source: arena.probe, options: ['bind', 'ro'] };
      for (const mount of [made, bound]) {
        const script =
          'grep -c attack-source /proc/self/mountinfo; cat /absolute/secret /dots/secret 2>/dev/null; true';
        const ended = arena.oci({ root: { path: image }, mounts: [...MOUNTS, mount] }, script);
        const name = `${mount.type} on ${JSON.stringify(destination.slice(0, 60))}`;
        evidence.push(...sung(ended.stdout));
        if (isOwnFailure(ended) ? !refusedClearly(ended) : ended.code > 127)
          evidence.push(`${name}: exit ${ended.code}: ${ended.stderr}`);
        if (ended.code === 0 && mount === made && ended.stdout.startsWith('0'))
          evidence.push(`${name}: started, and the mount is elsewhere`);
      }
    }
    return evidence;
  },
});
