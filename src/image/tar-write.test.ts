// Tests of the tar writer: what it writes is read back the same, and the same file gives the same bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { concat } from './tar.testing.ts';
import { type TarEntry, TarReader } from './tar.ts';
import { ARCHIVE_END, paddingOf, tarHeader } from './tar-write.ts';

const PLAIN: TarEntry = {
  path: 'etc/motd',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
  linkName: '',
  device: { major: 0, minor: 0 },
  xattrs: new Map(),
};

function entryOf(archive: Uint8Array): TarEntry {
  const reader = new TarReader();
  const events = [...reader.push(concat(archive, ARCHIVE_END))];
  reader.finish();
  const [first] = events;
  assert.ok(first?.kind === 'entry');
  return first.entry;
}

const CASES: Readonly<Record<string, Partial<TarEntry>>> = {
  plain: {},
  directory: { path: 'usr/lib/', type: 'directory', mode: 0o1777 },
  symlink: { type: 'symlink', linkName: '../elsewhere' },
  'hard link': { type: 'hardlink', linkName: 'etc/other' },
  fifo: { type: 'fifo' },
  character: { type: 'character', device: { major: 1, minor: 3 } },
  block: { type: 'block', device: { major: 259, minor: 1_048_575 } },
  'a hundred bytes of name': { path: 'n'.repeat(100) },
  'name and prefix': { path: `${'d'.repeat(120)}/${'n'.repeat(99)}` },
  'a name that needs a record': { path: `${'d'.repeat(160)}/${'n'.repeat(101)}` },
  'a directory with a long name': { path: `${'d'.repeat(200)}/`, type: 'directory' },
  'a long target': { type: 'symlink', linkName: 't'.repeat(101) },
  'bytes that are no text': { path: 'caf\xe9/\xff\xfe', linkName: '' },
  'a record with bytes that are no text': { path: `${'\xe9'.repeat(120)}` },
  'large owners': { uid: 2_097_152, gid: 4_294_967_294 },
  nanoseconds: { mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 } },
  'few digits': { mtime: { seconds: 5, nanoseconds: 500_000_000 } },
  'before 1970': { mtime: { seconds: -3, nanoseconds: 250_000_000 } },
  'long before': { mtime: { seconds: -100, nanoseconds: 0 } },
  'after 2242': { mtime: { seconds: 9_000_000_000, nanoseconds: 1 } },
  attributes: {
    xattrs: new Map([
      ['user.b', 'two\0\n='],
      ['security.capability', '\x01\0\0\x02\0\x20'],
    ]),
  },
  'set-user-ID': { mode: 0o6755 },
};

for (const [name, part] of Object.entries(CASES)) {
  test(`${name} is read back`, () => {
    const entry = { ...PLAIN, ...part };
    const header = tarHeader(entry);
    assert.equal(header.length % 512, 0);
    assert.deepEqual(entryOf(header), entry);
    assert.equal(fromArray(tarHeader({ ...entry })), fromArray(header));
  });
}

test('a size beyond 8 GiB', () => {
  const entry = { ...PLAIN, size: 2 ** 33 };
  const reader = new TarReader();
  const [first] = [...reader.push(tarHeader(entry))];
  assert.ok(first?.kind === 'entry' && first.entry.size === 2 ** 33);
});

test('records in the order of their keywords, whatever the order of the attributes', () => {
  const of = (...names: Bytes[]) =>
    tarHeader({ ...PLAIN, xattrs: new Map(names.map((name) => [name, 'x'])) });
  assert.equal(fromArray(of('user.a', 'user.b')), fromArray(of('user.b', 'user.a')));
});

test('padding', () => {
  assert.deepEqual(
    [0, 1, 511, 512, 513].map((size) => paddingOf(size).length),
    [0, 511, 1, 0, 511],
  );
});
