// Applying layers: what tar(1) packs comes out the same, in every format and compression, for root and for users.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concat, END, member, pax } from '../../src/image/tar.testing.ts';
import {
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
} from '../../src/spec/media-types.ts';
import { DEVICES, EVERYTHING } from './corpus.ts';
import { apply, directory, firstSubordinate, idsOf, listing, packed, place, skip } from './harness.ts';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const PAX = ['-S', '--format=pax', '--xattrs', '--xattrs-include=*'];

test('everything, in all forms of compression and both vendors of media types', { skip }, async (t) => {
  const base = place(t);
  const archive = packed(base, 'all', EVERYTHING, PAX);
  const expected = listing(join(base, 'source-all'));
  assert.ok(expected.length > 320);
  const zstd = execFileSync('zstd', ['-q', '-c'], { input: archive, maxBuffer: 1 << 26 });
  const half = archive.length >> 1;
  const members = Buffer.concat([
    gzipSync(archive.subarray(0, half)),
    gzipSync(Buffer.alloc(0)),
    gzipSync(archive.subarray(half)),
  ]);
  const forms: readonly [string, Uint8Array, string][] = [
    ['plain', archive, OCI_LAYER],
    ['gzip', gzipSync(archive), OCI_LAYER_GZIP],
    ['members', members, DOCKER_LAYER_GZIP],
    ['zstd', new Uint8Array(zstd), OCI_LAYER_ZSTD],
    ['docker', archive, DOCKER_LAYER],
  ];
  for (const [name, bytes, mediaType] of forms) {
    for (const form of ['overlay', 'merged'] as const) {
      const target = directory(base, `${name}-${form}`);
      const applied = await apply(bytes, target, { mediaType, form, chunk: name === 'plain' ? 777 : 65536 });
      assert.deepEqual(listing(target), expected, `${name} ${form}`);
      assert.equal(applied.diffId, sha256(archive));
      assert.equal(applied.size, archive.length);
      assert.equal(applied.owners, 'kept');
      assert.deepEqual(applied.omitted, { devices: 0, xattrs: 0 });
      assert.ok(lstatSync(join(target, 'sparse')).blocks < 100, 'holes stay holes');
    }
  }
});

test('the formats of tar, and those of sparse files', { skip }, async (t) => {
  const base = place(t);
  const sparse = ['0.0', '0.1', '1.0'].map((version) => [...PAX, `--sparse-version=${version}`]);
  const plain = (lines: readonly string[]) =>
    lines.map((line) => line.replace(/(\d+)\.\d{9}( |$)| \S+\.\S+=\S*/g, '$1 ').trim());
  for (const [index, flags] of [...sparse, ['-S', '--format=gnu'], ['--format=oldgnu']].entries()) {
    const archive = packed(base, `f${index}`, EVERYTHING, flags);
    const target = directory(base, `t${index}`);
    await apply(archive, target);
    const [got, expected] = [listing(target), listing(join(base, `source-f${index}`))];
    // GNU's own format has whole seconds, and no attributes.
    if (index < sparse.length) assert.deepEqual(got, expected, flags.join(' '));
    else
      assert.deepEqual(
        plain(got).filter((line) => !line.startsWith('./exactly')),
        plain(expected).filter((line) => !line.startsWith('./exactly')),
        flags.join(' '),
      );
  }
});

test('a user with subordinate ids: owners are kept, in their range', { skip }, async (t) => {
  const base = place(t, 'user');
  const archive = packed(
    base,
    'all',
    `${EVERYTHING}\nchown -h 1:2 bin; chown 60000:60001 exactly tmp; chmod 1777 tmp; touch -d 2005-05-05 tmp exactly; touch -h -d 2006-06-06 bin`,
    PAX,
  );
  const target = directory(base, 'target', 'user');
  const applied = await apply(archive, target, { caller: 'user' });
  assert.equal(applied.owners, 'kept');
  assert.equal(applied.userxattr, true);
  assert.equal(applied.omitted.devices, 2);
  const [[uid, gid], first] = [idsOf('user'), firstSubordinate()];
  const shift = (id: string, own: number) => (id === '0' ? own : first + Number(id) - 1);
  const expected = listing(join(base, 'source-all'))
    .filter((line) => !DEVICES.test(line))
    .map((line) => line.replace(/ (\d+):(\d+) /, (_, u, g) => ` ${shift(u, uid)}:${shift(g, gid)} `))
    // Version 3 of file capabilities says whose root they are of (capabilities(7)).
    .map((line) => line.replace(/security.capability=\S+/, 'security.capability'));
  const got = listing(target).map((line) => line.replace(/security.capability=\S+/, 'security.capability'));
  assert.deepEqual(got, expected);
});

test('a user without: all is theirs, and said so; an owner that cannot be is an error', {
  skip,
}, async (t) => {
  const base = place(t, 'stranger');
  const archive = packed(base, 'all', EVERYTHING, PAX);
  const applied = await apply(archive, directory(base, 'target', 'stranger'), { caller: 'stranger' });
  assert.equal(applied.owners, 'squashed');
  const [uid] = idsOf('stranger');
  const owners = listing(join(base, 'target')).map((line) => / (\d+:\d+) /.exec(line)?.[1]);
  assert.deepEqual([...new Set(owners)], [`${uid}:${uid}`]);
  const beyond = concat(member({ name: 'a', uid: 70_000 }), END);
  await assert.rejects(
    apply(beyond, directory(base, 'user', 'user'), { caller: 'user' }),
    /65537 ids are mapped/,
  );
});

test('owners, times and names at the edge of what there is', { skip }, async (t) => {
  const base = place(t);
  const archive = concat(
    pax(['uid', '4294967294'], ['gid', '2097152'], ['mtime', '-2147483649.5']),
    member({ name: 'a' }, 'x'),
    pax(['mtime', '15032385534.999999999']),
    member({ name: 'b', mode: 0o7777, uid: 1, gid: 1 }),
    pax(['path', `${'n'.repeat(255)}`]),
    member({ name: 'x' }),
    pax(['linkpath', 't'.repeat(4000)]),
    member({ name: 'l', type: '2' }),
    pax(['path', `${'d/'.repeat(500)}end`]),
    member({ name: 'x' }, 'deep'),
    END,
  );
  const target = directory(base, 'target');
  await apply(archive, target);
  const lines = listing(target);
  assert.match(lines.find((line) => line.startsWith('./a ')) ?? '', / 4294967294:2097152 1 1 -214748364/);
  assert.match(lines.find((line) => line.startsWith('./b ')) ?? '', / - 7777 1:1 .*\.999999999 /);
  assert.ok(lines.some((line) => line.startsWith(`./${'n'.repeat(255)} `)));
  assert.ok(lines.some((line) => line.includes(` ${'t'.repeat(4000)}`)));
  assert.ok(lines.some((line) => line.startsWith(`./${'d/'.repeat(500)}end `)));
});

test('duplicates: the last one counts, whatever it replaces', { skip }, async (t) => {
  const base = place(t);
  const directoryOf = (name: string, more = {}) => member({ name, type: '5', mode: 0o755, ...more });
  const archive = concat(
    member({ name: 'f' }, 'first'),
    member({ name: 'f', mode: 0o600 }, 'second'),
    directoryOf('d'),
    directoryOf('d/below'),
    member({ name: 'd/below/x' }, 'x'),
    member({ name: 'd' }, 'a file now'),
    member({ name: 'g' }, 'a file'),
    directoryOf('g'),
    member({ name: 'g/x' }, 'below'),
    member({ name: 'l', type: '2', linkName: 'g' }),
    member({ name: 'l/through' }, 'by a link'),
    directoryOf('l'),
    member({ name: 'l/own' }, 'own'),
    member({ name: 'h', type: '1', linkName: 'f' }),
    member({ name: 'f' }, 'third'),
    END,
  );
  for (const form of ['overlay', 'merged'] as const) {
    const target = directory(base, form);
    await apply(archive, target, { form });
    const read = (name: string) => readFileSync(join(target, name), 'utf8');
    assert.equal(read('f'), 'third');
    assert.equal(read('h'), 'second');
    assert.equal(read('d'), 'a file now');
    assert.equal(read('g/x'), 'below');
    assert.equal(read('g/through'), 'by a link');
    assert.equal(read('l/own'), 'own');
    assert.ok(lstatSync(join(target, 'l')).isDirectory());
  }
});

test('what may not be is told: where, and why', { skip }, async (t) => {
  const base = place(t);
  const target = directory(base, 'target');
  const small = concat(member({ name: 'a' }, 'x'.repeat(3_000_000)), END);
  const prepare = `mount -t tmpfs -o size=1m tmpfs ${target}`;
  await assert.rejects(apply(small, target, { prepare }), /write \/a: no space left on device \(ENOSPC\)/);
  await assert.rejects(apply(small, join(base, 'missing')), /open .*missing: no such file/);
  const link = concat(member({ name: 'h', type: '1', linkName: 'not/there' }), END);
  await assert.rejects(apply(link, directory(base, 'link')), /\/h: no such file or directory/);
  await assert.rejects(
    apply(small, directory(base, 'type'), { mediaType: 'text/plain' }),
    /media type of a layer/,
  );
  await assert.rejects(apply(new Uint8Array(0), directory(base, 'empty')), /empty/);
  const stop = { check: () => Promise.reject(new Error('interrupted')) };
  await assert.rejects(apply(small, directory(base, 'stop'), stop), /interrupted/);
  writeFileSync(join(base, 'after'), '');
});
