// Tests of the batches that unpacking compiles to, with a launcher that only looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syscallName } from '../linux/abi/index.ts';
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { type Decoded, type DecodedRecord, decodeBatch } from '../plan/decode.testing.ts';
import { WIRE } from '../plan/wire.ts';
import { type ExtractOptions, Extractor } from './extract.ts';
import { Conversation } from './layer/conversation.ts';
import { concat, END, member, pax } from './tar.testing.ts';
import { TarReader } from './tar.ts';

const TARGET = { root: 7, spare: 8 };

interface Played {
  readonly name: string;
  readonly record: DecodedRecord;
  readonly batch: Decoded;
}

/** Batches as a launcher reads them. */
class Looking {
  readonly batches: Played[][] = [];
  largest = 0;
  private parts: Uint8Array[] = [];
  private readonly fail: ((played: Played) => number) | undefined;

  constructor(fail?: (played: Played) => number) {
    this.fail = fail;
  }

  send(part: Uint8Array): void {
    this.parts.push(part.slice());
  }

  receive() {
    const bytes = concat(...this.parts);
    this.parts = [];
    this.largest = Math.max(this.largest, bytes.length);
    const batch = decodeBatch(bytes);
    const played = batch.records.map((record) => ({
      name: record.nr === WIRE.OP_CHECK ? 'CHECK' : String(syscallName('x86_64', record.nr)),
      record,
      batch,
    }));
    const errno = played.map((each) => this.fail?.(each) ?? 0);
    const failed = errno.findIndex((each) => each !== 0);
    this.batches.push(failed < 0 ? played : played.slice(0, failed));
    const frame = new Uint32Array(6);
    const done = failed < 0;
    frame.set([
      WIRE.MAGIC_ANSWER,
      done ? WIRE.ANSWER_DONE : WIRE.ANSWER_FAILED,
      done ? played.length : failed,
      done ? 0 : (errno[failed] as number),
      0,
      batch.reply,
    ]);
    return { frame: new Uint8Array(frame.buffer), data: new Uint8Array(batch.reply) };
  }
}

async function compile(
  archive: Uint8Array,
  more: Partial<ExtractOptions> = {},
  { chunk = archive.length, looking = new Looking() } = {},
): Promise<readonly Played[][]> {
  const options: ExtractOptions = { cause: 'test', owners: { kind: 'keep' }, devices: true, ...more };
  const extractor = new Extractor(new Conversation(looking, 'test'), TARGET, 'x86_64', options);
  const reader = new TarReader();
  for (let at = 0; at < archive.length; at += chunk) {
    const piece = archive.subarray(at, at + chunk);
    await extractor.take(piece, reader.push(piece));
  }
  await extractor.finish();
  return looking.batches;
}

function text({ batch }: Played, at: bigint): Bytes {
  const bytes = new Uint8Array(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
  return fromArray(bytes, Number(at), bytes.indexOf(0, Number(at)));
}

/** Pointers into text of the calls that take names. */
const NAMES: Readonly<Record<string, readonly number[]>> = {
  mkdirat: [1],
  unlinkat: [1],
  openat: [1],
  mknodat: [1],
  fchownat: [1],
  symlinkat: [2],
  linkat: [1, 3],
  utimensat: [1],
};

const TREE = concat(
  member({ name: './', type: '5', mode: 0o755 }),
  member({ name: 'a/b/c/file', mode: 0o4755, uid: 1, gid: 2 }, 'content'),
  member({ name: 'a/b/link', type: '2', linkName: '../../../../etc/passwd' }),
  member({ name: 'hard', type: '1', linkName: 'a/b/c/file' }),
  member({ name: 'null', type: '3', device: [1, 3], mode: 0o666 }),
  member({ name: 'dir', type: '5', mode: 0o555, mtime: 5 }),
  END,
);

test('only openat2 sees more than one component, and always stays in the root', async () => {
  for (const fresh of [true, false]) {
    let names = 0;
    for (const played of (await compile(TREE, { fresh })).flat()) {
      for (const index of NAMES[played.name] ?? []) {
        const at = played.record.args[index] as bigint;
        if (played.record.kinds[index] !== WIRE.KIND_PTR) continue;
        names++;
        assert.ok(!text(played, at).includes('/'), `${played.name} ${text(played, at)}`);
      }
      if (played.name !== 'openat2') continue;
      const how = Number(played.record.args[2]);
      assert.equal(played.batch.data.getUint32(how + 16, true), 0x10 | 0x2);
      assert.equal(played.record.flags & WIRE.FLAG_RETRY, WIRE.FLAG_RETRY);
    }
    assert.ok(names > 10);
  }
});

test('the order of attributes: owner, extended ones, mode, time', async () => {
  const archive = concat(
    pax(['SCHILY.xattr.security.capability', 'cap'], ['SCHILY.xattr.trusted.overlay.opaque', 'y']),
    member({ name: 'f', mode: 0o4755, uid: 1 }, 'content'),
    END,
  );
  const names = (await compile(archive)).flat().map(({ name }) => name);
  assert.deepEqual(names.slice(names.indexOf('openat')), [
    'openat',
    'write',
    'CHECK',
    'fchown',
    'fsetxattr',
    'fchmod',
    'utimensat',
    'close',
  ]);
});

test('a file of root in a fresh directory takes five records', async () => {
  const archive = concat(member({ name: 'f', mode: 0o640 }, 'content'), END);
  const played = (await compile(archive, { fresh: true })).flat();
  assert.deepEqual(
    played.map(({ name }) => name),
    ['openat', 'write', 'CHECK', 'utimensat', 'close'],
  );
  assert.equal(played[0]?.record.args[3], 0o640n);
});

test('directories get their attributes at the very end, deepest first', async () => {
  const archive = concat(
    ...['a', 'a/b', 'a/b/c', 'z'].map((name) => member({ name, type: '5' })),
    member({ name: 'a/f' }),
    END,
  );
  const played = (await compile(archive)).flat();
  const first = played.findLastIndex(({ name }) => name === 'openat');
  const opened = played.slice(first).filter(({ name }) => name === 'openat2');
  assert.deepEqual(
    opened.map((each) => text(each, each.record.args[1] as bigint)),
    ['z', 'a/b/c', 'a/b', 'a'],
  );
});

test('batches are bounded, and a large file goes on in the next one by a number', async () => {
  const small = Array.from({ length: 5000 }, (_, i) => member({ name: `f${i}` }, 'x'));
  for (const batch of await compile(concat(...small, END))) assert.ok(batch.length < 4100);
  const looking = new Looking();
  const large = member({ name: 'large' }, 'x'.repeat(2_500_000));
  const batches = await compile(concat(large, END), {}, { looking });
  assert.equal(batches.length, 3);
  assert.ok(looking.largest < 1_100_000);
  const writes = batches.map((batch) => batch.filter(({ name }) => name === 'write'));
  assert.deepEqual(
    writes.map((each) => each.length),
    [1, 1, 1],
  );
  assert.equal(writes[0]?.[0]?.record.kinds[0], WIRE.KIND_LOAD64);
  for (const later of [writes[1], writes[2]]) {
    assert.equal(later?.[0]?.record.kinds[0], WIRE.KIND_IMM);
    assert.equal(later?.[0]?.record.args[0], BigInt(TARGET.spare));
  }
});

test('content is what the archive holds, whatever the chunks, and one write where it lies together', async () => {
  const contents = ['', 'a', 'b'.repeat(511), 'c'.repeat(512), 'd'.repeat(5000)];
  const archive = concat(...contents.map((content, i) => member({ name: `f${i}` }, content)), END);
  for (const chunk of [1, 7, 100, 512, 777, 4096, archive.length]) {
    const written = (await compile(archive, {}, { chunk }))
      .flat()
      .filter(({ name }) => name === 'write')
      .map(({ record, batch }) =>
        fromArray(
          new Uint8Array(
            batch.data.buffer,
            batch.data.byteOffset + Number(record.args[1]),
            Number(record.args[2]),
          ),
        ),
      );
    assert.deepEqual(written, contents.slice(1), `chunks of ${chunk}`);
  }
});

test('descriptors that a batch opens are closed in it, and few are open at once', async () => {
  const many = concat(...Array.from({ length: 300 }, (_, i) => member({ name: `d${i}/f` })), END);
  for (const archive of [TREE, many]) {
    for (const batch of await compile(archive)) {
      let open = 0;
      let most = 0;
      for (const { name } of batch) {
        if (name === 'openat' || name === 'openat2') open++;
        if (name === 'close') open--;
        most = Math.max(most, open);
      }
      assert.equal(open, 0);
      assert.ok(most < 60, String(most));
    }
  }
});

test('a batch goes on behind a record that failed, with the slots of before', async () => {
  const archive = concat(member({ name: 'd/a' }, 'one'), member({ name: 'd/b' }, 'two'), END);
  let failures = 0;
  const looking = new Looking((played) => {
    if (played.name !== 'openat' || text(played, played.record.args[1] as bigint) !== 'b') return 0;
    return failures++ === 0 ? 17 : 0;
  });
  const batches = await compile(archive, { fresh: true }, { looking });
  const names = batches.map((batch) => batch.map(({ name }) => name));
  assert.deepEqual(names[0], ['mkdirat', 'openat2', 'openat', 'write', 'CHECK', 'utimensat', 'close']);
  assert.deepEqual(names[1], ['openat2', 'unlinkat', 'unlinkat', 'close']);
  assert.deepEqual(names[2], ['openat', 'write', 'CHECK', 'utimensat', 'close', 'close']);
  const again = new Looking(({ name }) => (name === 'openat' ? 17 : 0));
  await assert.rejects(compile(archive, { fresh: true }, { looking: again }), /unpack \/d\/a.*EEXIST/);
});

test('whiteouts in overlay form, and where this layer has the same name', async () => {
  const names = async (...members: Uint8Array[]) =>
    (await compile(concat(...members, END), { fresh: true, whiteouts: 'overlay' }))
      .flat()
      .map(({ name }) => name)
      .filter((name) => ['mknodat', 'fsetxattr', 'mkdirat', 'unlinkat'].includes(name));
  const gone = member({ name: '.wh.x' });
  assert.deepEqual(await names(gone), ['mknodat']);
  assert.deepEqual(await names(gone, gone), ['mknodat']);
  assert.deepEqual(await names(gone, member({ name: 'x', type: '5' })), [
    'mknodat',
    'unlinkat',
    'mkdirat',
    'fsetxattr',
  ]);
  assert.deepEqual(await names(member({ name: 'x', type: '5' }), gone), ['mkdirat', 'fsetxattr']);
  assert.deepEqual(await names(member({ name: 'd/.wh..wh..opq' })), ['mkdirat', 'fsetxattr']);
  assert.deepEqual(await names(member({ name: '.wh..wh.plnk/1' }), member({ name: '.wh..wh.aufs' })), []);
  for (const bad of ['.wh.', 'a/.wh..', '.wh...'])
    await assert.rejects(names(member({ name: bad })), /whiteout of no name/);
});

test('squashed owners, and devices that are left out', async () => {
  const names = (await compile(TREE, { owners: { kind: 'squash' }, devices: false }))
    .flat()
    .map(({ name }) => name);
  for (const name of ['fchown', 'fchownat', 'mknodat']) assert.ok(!names.includes(name), name);
});

test('memory for names is bounded', async () => {
  const many = Array.from({ length: 100 }, (_, i) => member({ name: `d${i}`, type: '5' }));
  await assert.rejects(compile(concat(...many, END), { nameLimit: 5000 }), /too many to be remembered/);
  const deep = member({ name: `${'d/'.repeat(45)}f` });
  await assert.rejects(compile(concat(deep, END), { memberLimit: 40 }), /one too many/);
});
