// Tests of the tar reader: formats, extended headers, sparse files, and archives that lie.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { compressionOf } from './compression.ts';
import { concat, END, header, member, padded, pax, paxRecord } from './tar.testing.ts';
import { type TarEntry, TarReader } from './tar.ts';

interface Member {
  readonly entry: TarEntry;
  /** Content with its holes as NULs. */
  readonly content: Bytes;
}

function read(archive: Uint8Array, chunk = archive.length): Member[] {
  const reader = new TarReader();
  const members: Member[] = [];
  let pieces: Uint8Array | undefined;
  for (let at = 0; at < archive.length; at += chunk) {
    for (const event of reader.push(archive.subarray(at, at + chunk))) {
      if (event.kind === 'entry') {
        assert.equal(pieces, undefined);
        assert.ok(event.entry.size < 1e6);
        pieces = new Uint8Array(event.entry.size);
        members.push({ entry: event.entry, content: '' });
      } else if (event.kind === 'data') {
        pieces?.set(event.bytes, event.offset);
      } else {
        const last = members.pop() as Member;
        members.push({ ...last, content: fromArray(pieces as Uint8Array) });
        pieces = undefined;
      }
    }
  }
  reader.finish();
  return members;
}

const only = (archive: Uint8Array): Member => {
  const members = read(archive);
  assert.equal(members.length, 1);
  return members[0] as Member;
};

function refuses(archive: Uint8Array, reason: RegExp): void {
  assert.throws(
    () => read(archive),
    (error: unknown) => {
      assert.ok(error instanceof CaissonError, String(error));
      assert.equal(error.code, 'EARCHIVE');
      assert.ok(reason.test(error.message), error.message);
      return true;
    },
  );
}

const SAMPLE = concat(
  member({ name: 'etc/', type: '5', mode: 0o755, mtime: 1_700_000_000 }),
  member({ name: 'etc/motd', uid: 1000, gid: 100, mode: 0o4640 }, 'hello\n'),
  member({ name: 'bin', type: '2', linkName: 'usr/bin' }),
  member({ name: 'motd', type: '1', linkName: 'etc/motd', size: 6 }),
  member({ name: 'dev/null', type: '3', device: [1, 3] }),
  member({ name: 'pipe', type: '6' }),
  member({ name: 'large' }, 'x'.repeat(1025)),
  END,
);

test('each type of member, and content of every length', () => {
  const seen = read(SAMPLE).map(({ entry, content }) => [
    entry.path,
    entry.type,
    entry.linkName,
    content.length,
  ]);
  assert.deepEqual(seen, [
    ['etc/', 'directory', '', 0],
    ['etc/motd', 'file', '', 6],
    ['bin', 'symlink', 'usr/bin', 0],
    ['motd', 'hardlink', 'etc/motd', 0],
    ['dev/null', 'character', '', 0],
    ['pipe', 'fifo', '', 0],
    ['large', 'file', '', 1025],
  ]);
  const [, motd, , , device] = read(SAMPLE);
  assert.equal(motd?.entry.mode, 0o4640);
  assert.deepEqual([motd?.entry.uid, motd?.entry.gid, motd?.content], [1000, 100, 'hello\n']);
  assert.deepEqual(device?.entry.device, { major: 1, minor: 3 });
});

test('chunks of any length give the same members', () => {
  const whole = read(SAMPLE);
  for (const chunk of [1, 7, 511, 512, 513, 4096])
    assert.deepEqual(read(SAMPLE, chunk), whole, String(chunk));
});

test('the prefix of ustar joins the name, and is something else for GNU', () => {
  assert.equal(only(member({ name: 'b', prefix: 'a' })).entry.path, 'a/b');
  assert.equal(only(member({ name: 'b', prefix: 'a', magic: 'ustar  \0' })).entry.path, 'b');
});

test('a link that says a size has no content all the same, as for Go (Z03, seed 1180979906)', () => {
  for (const type of ['1', '2', '3', '4', '5', '6']) {
    const link = header({ name: 'link', type, linkName: 'target', size: 63 });
    const members = read(concat(link, member({ name: 'next' }, 'x'), END));
    assert.deepEqual(
      members.map(({ entry, content }) => [entry.path, entry.size, content]),
      [
        ['link', 0, ''],
        ['next', 1, 'x'],
      ],
      type,
    );
  }
});

test('a file whose name ends in a slash is a directory', () => {
  assert.equal(only(member({ name: 'old/', type: '\0' })).entry.type, 'directory');
});

test('GNU long names; the last of several counts', () => {
  const long = 'd/'.repeat(100);
  const link = 't'.repeat(300);
  const archive = concat(
    member({ name: '././@LongLink', type: 'L' }, 'other\0'),
    member({ name: '././@LongLink', type: 'L' }, `${long}f\0`),
    member({ name: '././@LongLink', type: 'K' }, `${link}\0`),
    member({ name: 'short', type: '2', linkName: 'short' }),
    member({ name: 'next' }),
  );
  const [first, second] = read(archive);
  assert.deepEqual([first?.entry.path, first?.entry.linkName], [`${long}f`, link]);
  assert.equal(second?.entry.path, 'next');
});

test('pax says name, link, size, owner and time', () => {
  const records = pax(
    ['path', 'name of \xff bytes'],
    ['size', '3'],
    ['uid', '3000000'],
    ['gid', '4294967294'],
    ['mtime', '1700000000.123456789123'],
    ['SCHILY.xattr.user.note', 'a\nb\0c'],
    ['comment', 'ignored'],
  );
  const { entry, content } = only(concat(records, header({ name: 'short', size: 0 }), padded('abc')));
  assert.deepEqual(
    [entry.path, entry.uid, entry.gid, content],
    ['name of \xff bytes', 3000000, 4294967294, 'abc'],
  );
  assert.deepEqual(entry.mtime, { seconds: 1_700_000_000, nanoseconds: 123_456_789 });
  assert.deepEqual([...entry.xattrs], [['user.note', 'a\nb\0c']]);
  const link = only(
    concat(pax(['linkpath', 'far'], ['mtime', '-1.25']), member({ name: 'l', type: '2', linkName: 'x' })),
  );
  assert.equal(link.entry.linkName, 'far');
  assert.deepEqual(link.entry.mtime, { seconds: -2, nanoseconds: 750_000_000 });
});

test('pax is about one member only, and an empty value takes a record back', () => {
  const [first, second] = read(
    concat(pax(['path', 'renamed'], ['path', '']), member({ name: 'a' }), member({ name: 'b' })),
  );
  assert.deepEqual([first?.entry.path, second?.entry.path], ['a', 'b']);
});

test('a global header changes nothing', () => {
  const global = member({ name: 'g', type: 'g' }, paxRecord('path', 'everything'));
  assert.equal(only(concat(global, member({ name: 'a' }))).entry.path, 'a');
});

test('numbers in base 256, and negative times', () => {
  const large = { 108: '\x80\0\0\0\xff\xff\xff\xfe' };
  assert.equal(only(member({ name: 'a', patch: large })).entry.uid, 4294967294);
  const before = { 136: '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe' };
  assert.equal(only(member({ name: 'a', patch: before })).entry.mtime.seconds, -2);
});

test('sparse files in four formats are the same file', () => {
  const expected = `${'\0'.repeat(1000)}abc${'\0'.repeat(97)}de${'\0'.repeat(98)}`;
  const map = '1000,3,1100,2,1200,0';
  const size: [string, string] = ['GNU.sparse.size', '1200'];
  const zero = map.split(',');
  const pairs = [0, 2, 4].flatMap((i): [string, string][] => [
    ['GNU.sparse.offset', zero[i] as string],
    ['GNU.sparse.numbytes', zero[i + 1] as string],
  ]);
  const name: [string, string] = ['GNU.sparse.name', 'sparse'];
  const version: [string, string][] = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.realsize', '1200'],
  ];
  const leading = concat(padded('3\n1000\n3\n1100\n2\n1200\n0\n'), padded('abcde'));
  const old = [1000, 3, 1100, 2, 1200, 0].map((n) => `${n.toString(8).padStart(11, '0')}\0`).join('');
  const further = new Uint8Array(512);
  const formats = {
    '0.0': concat(pax(size, ...pairs), member({ name: 'sparse' }, 'abcde')),
    '0.1': concat(
      pax(size, ['GNU.sparse.map', map], name),
      member({ name: 'GNUSparseFile.0/sparse' }, 'abcde'),
    ),
    '1.0': concat(pax(...version, name), header({ name: 'GNUSparseFile.0/sparse', size: 512 + 5 }), leading),
    old: concat(
      header({
        name: 'sparse',
        type: 'S',
        size: 5,
        magic: 'ustar  \0',
        patch: { 386: old, 482: '\x01', 483: '00000002260\0' },
      }),
      further,
      padded('abcde'),
    ),
  };
  for (const [format, archive] of Object.entries(formats)) {
    const { entry, content } = only(concat(archive, END));
    assert.equal(entry.path, 'sparse', format);
    assert.equal(content, expected, format);
    for (const chunk of [1, 100]) assert.equal(read(archive, chunk)[0]?.content, expected, format);
  }
});

test('what follows the end of the archive is ignored; a missing end is not an error', () => {
  assert.equal(read(concat(SAMPLE, padded('garbage'))).length, 7);
  assert.equal(read(SAMPLE.subarray(0, SAMPLE.length - 1024)).length, 7);
  refuses(concat(member({ name: 'a' }), new Uint8Array(512), member({ name: 'b' })), /single zero block/);
});

test('cut-off archives and what is none', () => {
  for (const length of [100, 512 + 100, 1024 + 3, SAMPLE.length - 1024 - 1])
    refuses(SAMPLE.subarray(0, length), /cut off/);
  refuses(new Uint8Array(0), /empty/);
  refuses(padded('#!/bin/sh\necho this is not an archive\n'), /no tar archive/);
  refuses(member({ name: 'a', checksum: '0000000\0' }), /checksum/);
});

test('names that no kernel takes', () => {
  refuses(member({ name: '' }), /empty/);
  refuses(concat(pax(['path', 'a\0b']), member({ name: 'a' })), /NUL/);
  refuses(concat(pax(['linkpath', 'a\0b']), member({ name: 'a', type: '2', linkName: 'b' })), /NUL/);
  refuses(concat(pax(['path', 'a/'.repeat(2048)]), member({ name: 'a' })), /4096 bytes/);
  assert.equal(
    only(concat(pax(['path', `${'a/'.repeat(2047)}b`]), member({ name: 'a' }))).entry.path.length,
    4095,
  );
});

test('numbers that no file has', () => {
  const negative = `\xff${'\xff'.repeat(11)}`;
  refuses(member({ name: 'a', patch: { 124: negative } }), /negative/);
  refuses(member({ name: 'a', patch: { 124: `\x80${'\x7f'.repeat(11)}` } }), /2\^53/);
  refuses(member({ name: 'a', patch: { 124: '12345678\0ab\0' } }), /octal/);
  refuses(member({ name: 'a', patch: { 108: '\x80\0\0\0\xff\xff\xff\xff' } }), /owner/);
  refuses(concat(pax(['size', '-1']), member({ name: 'a' })), /range/);
  refuses(concat(pax(['size', '9223372036854775808']), member({ name: 'a' })), /range/);
  refuses(concat(pax(['uid', '4294967295']), member({ name: 'a' })), /owner/);
  refuses(concat(pax(['mtime', 'now']), member({ name: 'a' })), /time/);
});

test('extended headers without bound or form', () => {
  refuses(header({ name: 'x', type: 'x', size: 100 << 20 }), /too large/);
  refuses(header({ name: 'x', type: 'L', size: (1 << 20) + 1 }), /too large/);
  const many = Array.from({ length: 5 }, () => member({ name: 'x', type: 'L' }, 'n'.repeat(1 << 20)));
  refuses(concat(...many), /too large/);
  for (const payload of [
    '3 a',
    '5 a=b\n',
    '999 a=b\n',
    '06 a=b\n',
    '5 =b\n',
    'x a=b\n',
    '6 a=bb',
    '2 \n',
    '6 a=b\nrest',
  ]) {
    refuses(concat(member({ name: 'x', type: 'x' }, payload), member({ name: 'a' })), /pax record/);
  }
});

test('a file whose name ends in a slash is a directory, and has no content', () => {
  assert.equal(only(concat(member({ name: 'd/', type: '0' }), END)).entry.type, 'directory');
  refuses(concat(member({ name: 'd/', type: '0' }, 'content'), END), /directory has content/);
});

test('types that no root has', () => {
  refuses(member({ name: 'a', type: 'M' }), /unknown/);
  refuses(member({ name: 'a', type: 'Z' }), /unknown/);
});

test('sparse maps that lie', () => {
  const sparse = (map: string, size = '100', content = 'abc') =>
    concat(pax(['GNU.sparse.size', size], ['GNU.sparse.map', map]), member({ name: 'a' }, content));
  refuses(sparse('0,4'), /describe/);
  refuses(sparse('0,2'), /describe/);
  refuses(sparse('10,2,5,1'), /overlaps/);
  refuses(sparse('98,3'), /leaves/);
  refuses(sparse('0,3', '2'), /leaves/);
  refuses(sparse('0,3,4'), /pairs/);
  refuses(sparse('0,x'), /range/);
  refuses(sparse(`${'0,0,'.repeat(70000)}0,3`), /too long/);
  const leading = (text: string, size = 512) =>
    concat(
      pax(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.realsize', '10']),
      header({ name: 'a', size }),
      padded(text),
    );
  refuses(leading('99999999\n'), /too long/);
  refuses(leading('1\n0\n0\n', 100), /longer than its file/);
  refuses(leading('nothing'), /cut off/);
  refuses(
    concat(leading('1'.repeat(512), 2 << 20), ...Array.from({ length: 2048 }, () => padded('1'.repeat(512)))),
    /too long/,
  );
});

test('compressed files are told by their first bytes', () => {
  assert.equal(compressionOf(new Uint8Array([0x1f, 0x8b, 8, 0]))?.program, 'gunzip');
  assert.equal(compressionOf(new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]))?.name, 'zstd');
  assert.equal(compressionOf(new Uint8Array([0x1f])), undefined);
  assert.equal(compressionOf(SAMPLE), undefined);
});
