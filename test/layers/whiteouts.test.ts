// Whiteouts: a stack of layers mounted by the kernel shows what the same layers make of one directory.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { concat, END, member } from '../../src/image/tar.testing.ts';
import { apply, type Caller, directory, idsOf, listing, place, skip, treeProgram } from './harness.ts';

const file = (name: string, content = name, more = {}) =>
  member({ name, mode: 0o644, mtime: 1e9, ...more }, content);
const folder = (name: string, more = {}) => member({ name, type: '5', mode: 0o755, mtime: 1e9, ...more });
const link = (name: string, linkName: string) => member({ name, type: '2', linkName, mtime: 1e9 });
const gone = (name: string) => file(name, '');

/** Layers from the bottom up; the trees that they make together are compared name by name. */
const STACKS: Readonly<Record<string, readonly Uint8Array[]>> = {
  'a file, a directory and a link are gone': [
    concat(folder('d'), file('d/x'), folder('d/e'), file('d/e/y'), link('l', 'd'), file('f'), file('stays')),
    concat(gone('.wh.f'), folder('d'), gone('d/.wh.e'), gone('.wh.l')),
  ],
  'a whole tree is gone, and comes back empty': [
    concat(folder('d'), file('d/x'), folder('d/e'), file('d/e/y')),
    concat(gone('.wh.d')),
    concat(folder('d', { mode: 0o700 }), file('d/new')),
  ],
  'opaque, before and behind what is in it': [
    concat(folder('a'), file('a/old'), folder('b'), file('b/old'), folder('b/sub'), file('b/sub/old')),
    concat(
      folder('a'),
      gone('a/.wh..wh..opq'),
      file('a/new'),
      folder('b'),
      file('b/new'),
      gone('b/.wh..wh..opq'),
    ),
  ],
  'a directory becomes a file, and a file a directory': [
    concat(folder('d'), file('d/x'), file('f')),
    concat(file('d', 'now a file'), folder('f'), file('f/inside')),
  ],
  'a directory becomes a link': [
    concat(folder('bin'), file('bin/sh'), folder('usr'), folder('usr/bin')),
    concat(folder('usr'), folder('usr/bin'), file('usr/bin/sh'), link('bin', 'usr/bin')),
  ],
  'a whiteout and the same name in one layer, in both orders': [
    concat(folder('a'), file('a/old'), folder('b'), file('b/old'), file('c'), file('e')),
    concat(
      ...[gone('.wh.a'), folder('a'), file('a/new'), folder('b'), file('b/new'), gone('.wh.b')],
      ...[gone('.wh.c'), file('c', 'new'), file('e', 'new'), gone('.wh.e')],
    ),
  ],
  'three layers': [
    concat(folder('d'), file('d/1'), file('d/2'), file('d/3')),
    concat(folder('d'), gone('d/.wh.1'), file('d/2', 'changed')),
    concat(folder('d'), file('d/1', 'back'), gone('d/.wh.3')),
  ],
  'what is not there, and files of AUFS': [
    concat(folder('d'), file('d/x')),
    concat(
      gone('.wh.nothing'),
      folder('d'),
      gone('d/.wh.nothing'),
      gone('.wh..wh.aufs'),
      folder('.wh..wh.plnk'),
    ),
  ],
  'attributes of a directory that is there below': [
    concat(folder('d', { mode: 0o700, uid: 5, gid: 6 }), file('d/x')),
    concat(folder('d', { mode: 0o1777, uid: 7, gid: 8, mtime: 1_100_000_000 })),
  ],
};

/** The kernel's view of layers, the bottom one first, as lines of tree.c. */
function mounted(base: string, layers: readonly string[], caller: Caller): string[] {
  const point = join(base, 'point');
  mkdirSync(point, { recursive: true });
  const [uid, gid] = idsOf(caller);
  chownSync(point, uid, gid);
  const lower = [...layers].reverse().join(':');
  const options = `lowerdir=${lower}${caller === 'root' ? '' : ',userxattr'}`;
  const script = `mount -t overlay -o ${options} none ${point} && ${treeProgram()} ${point}`;
  const command =
    caller === 'root'
      ? ['unshare', '-m', 'sh', '-c', script]
      : ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'].concat(
          ['unshare', '-U', '-m', '--map-user=0', '--map-group=0'],
          caller === 'user' ? ['--map-users=auto', '--map-groups=auto'] : [],
          ['sh', '-c', script],
        );
  const text = execFileSync(command[0] as string, command.slice(1), { encoding: 'latin1' });
  return text.trimEnd().split('\n').slice(1);
}

for (const caller of ['root', 'stranger'] as const) {
  for (const [name, stack] of Object.entries(STACKS)) {
    test(`${caller}: ${name}`, { skip }, async (t) => {
      const base = place(t, caller);
      // What is mounted below a caller's directory is theirs to see.
      const lowest = directory(base, 'lowest', caller);
      const merged = directory(base, 'merged', caller);
      const layers = [lowest];
      for (const [index, archive] of stack.entries()) {
        const layer = directory(base, `layer${index}`, caller);
        layers.push(layer);
        await apply(concat(archive, END), layer, { caller });
        await apply(concat(archive, END), merged, { caller, form: 'merged' });
      }
      const shown = mounted(base, layers, caller);
      const [uid] = idsOf(caller);
      const expected = listing(merged).map((line) =>
        caller === 'root' ? line : line.replace(` ${uid}:${uid} `, ' 0:0 '),
      );
      // The number of names of one file is the layer's in overlayfs.
      assert.deepEqual(shown.filter(isNoMark), expected);
      assert.ok(expected.length > 0);
    });
  }
}

function isNoMark(line: string): boolean {
  return !line.includes('.wh.');
}

test('marks are those of the mount that will show them', { skip }, async (t) => {
  const archive = concat(folder('d'), gone('d/.wh..wh..opq'), gone('.wh.f'), gone('.wh..wh..opq'), END);
  for (const [caller, space] of [
    ['root', 'trusted'],
    ['stranger', 'user'],
  ] as const) {
    const base = place(t, caller);
    const target = directory(base, 'target', caller);
    const applied = await apply(archive, target, { caller });
    assert.equal(applied.whiteouts, 3);
    assert.equal(applied.opaqueRoot, true);
    const lines = listing(target);
    assert.match(lines.find((line) => line.startsWith('./f ')) ?? '', / c .* 0,0 /);
    assert.match(
      lines.find((line) => line.startsWith('./d ')) ?? '',
      new RegExp(`${space}.overlay.opaque=79`),
    );
  }
});

test('a layer cannot bring marks of its own', { skip }, async (t) => {
  const { pax } = await import('../../src/image/tar.testing.ts');
  const base = place(t);
  const archive = concat(
    pax(
      ['SCHILY.xattr.trusted.overlay.redirect', '/etc'],
      ['SCHILY.xattr.user.overlay.opaque', 'y'],
      ['SCHILY.xattr.security.selinux', 'x'],
      ['SCHILY.xattr.user.kept', 'x'],
    ),
    folder('d'),
    END,
  );
  const target = directory(base, 'target');
  const applied = await apply(archive, target);
  assert.equal(applied.omitted.xattrs, 3);
  assert.match(listing(target)[0] ?? '', /\S+ d .* user.kept=78$/);
});

test('a whiteout spares what its own layer made, and nothing else', { skip }, async (t) => {
  const base = place(t);
  const merged = directory(base, 'merged');
  const many = Array.from({ length: 3000 }, (_, i) => file(`d/f${i}`));
  await apply(concat(folder('d'), ...many, folder('d/e'), file('d/e/x'), END), merged, { form: 'merged' });
  const layer = concat(
    folder('d'),
    file('d/f7', 'mine'),
    folder('d/e'),
    file('d/e/y'),
    gone('d/.wh..wh..opq'),
    END,
  );
  await apply(layer, merged, { form: 'merged' });
  assert.deepEqual(
    listing(merged).map((line) => line.split(' ')[0]),
    ['./d', './d/e', './d/e/y', './d/f7'],
  );
  assert.equal(readFileSync(join(merged, 'd/f7'), 'utf8'), 'mine');
});
