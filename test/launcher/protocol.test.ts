// Bytes that are no batch: refused or the end of the launcher, with nothing executed and never a crash (T26).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_FIELDS, WIRE } from '../../src/plan/wire.ts';
import { Player, withPlayer } from './player.ts';
import { dataOf, pseudo, type RawBatch, type RawRecord, rawBatch, syscall } from './raw-batch.ts';

const EINVAL = 22;
/** Exit statuses of the launcher: the channel ended between two batches; the channel made no sense. */
const END = 0;
const CHANNEL = 120;

const say = syscall('write', 1, { ptr: 0 }, 1);
const valid: RawBatch = { records: [say], data: dataOf(16, [0, 'x']), relocs: [8] };
const LENGTHS = [0, 0xffff, 0x10000, 0xffffffff];

/** Sends bytes, ends the channel, and gives everything that could be seen of the launcher. */
async function outcome(bytes: Uint8Array) {
  const player = new Player();
  player.send(bytes);
  const answer = player.answer();
  const ending = await player.end();
  return { ...ending, kind: (await answer)?.kind, stdout: player.stdout };
}

const ENDED = { code: CHANNEL, signal: null, kind: undefined, stdout: '' };
const REFUSED = { code: END, signal: null, kind: 'refused', stdout: '' };
const PLAYED = { code: END, signal: null, kind: 'done', stdout: 'x' };

test('T26: each length of the header at its limits', async () => {
  // Shorter than said: the channel ends in the middle. Longer than said: the next header has no magic.
  const expected: Record<string, readonly object[]> = {
    magic: [ENDED, ENDED, ENDED, ENDED],
    records: [ENDED, ENDED, ENDED, ENDED],
    relocs: [ENDED, ENDED, ENDED, ENDED],
    data: [ENDED, ENDED, ENDED, ENDED],
    reply: [PLAYED, REFUSED, REFUSED, REFUSED],
    trace: [PLAYED, REFUSED, REFUSED, PLAYED],
    reserved0: [PLAYED, REFUSED, REFUSED, REFUSED],
    reserved1: [PLAYED, REFUSED, REFUSED, REFUSED],
  };
  for (const field of HEADER_FIELDS) {
    for (const [index, length] of LENGTHS.entries()) {
      const found = await outcome(rawBatch({ ...valid, header: { [field]: length } }));
      const wanted = expected[field]?.[index];
      // With fewer records, relocations or data than were sent, the batch ends early and is played or refused
      // as such; what is left then has no magic.
      if (length === 0 && ['records', 'relocs', 'data'].includes(field)) {
        assert.deepEqual({ ...found, kind: undefined, stdout: '' }, ENDED, `${field} ${length}`);
      } else {
        assert.deepEqual(found, wanted, `${field} ${length}`);
      }
    }
  }
});

test('T26: lengths at their limits with as many bytes as they say', async () => {
  for (const length of [0, 0xffff, 0x10000, 0x10001]) {
    const found = await outcome(rawBatch({ records: [], data: new Uint8Array(length) }));
    assert.deepEqual(found, length % 8 === 0 ? { ...PLAYED, stdout: '' } : ENDED, `data ${length}`);
  }
  for (const count of [0, 0xffff, 0x10000]) {
    const found = await outcome(
      rawBatch({ records: Array<RawRecord>(count).fill(pseudo('END')), data: new Uint8Array(8) }),
    );
    assert.deepEqual(found, { ...PLAYED, stdout: '' }, `${count} records`);
  }
  const relocs = Array.from({ length: 0xffff }, (_, index) => 8 * index);
  const found = await outcome(rawBatch({ records: [], relocs, data: new Uint8Array(8 * 0xffff) }));
  assert.deepEqual(found, { ...PLAYED, stdout: '' });
});

test('T26: the arena is filled to its last byte, and not one byte further', async () => {
  const room = WIRE.ARENA - 24 - 64;
  const data = dataOf(room, [room - 8, 'x']);
  const records = [syscall('write', 1, { ptr: room - 8 }, 1)];
  assert.deepEqual(await outcome(rawBatch({ records, data })), PLAYED);
  assert.deepEqual(await outcome(rawBatch({ records, data: dataOf(room + 8) })), ENDED);
});

test('T26: a batch that is cut short anywhere', async () => {
  const bytes = rawBatch(valid);
  const step = process.env.CAISSON_LONG === '1' ? 1 : 5;
  for (let length = 0; length < bytes.length; length += length < 40 ? 1 : step) {
    const wanted = length === 0 ? { ...ENDED, code: END } : ENDED;
    assert.deepEqual(await outcome(bytes.subarray(0, length)), wanted, `cut to ${length} bytes`);
  }
});

test('T26: a batch byte by byte, and a thousand times in one piece', () =>
  withPlayer(async (player) => {
    const bytes = rawBatch({ ...valid, records: [say, pseudo('PAUSE', 5)] });
    for (const byte of bytes) {
      player.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await player.answer())?.kind, 'paused');
    assert.equal((await player.goOn()).kind, 'done');
    const once = rawBatch(valid);
    const many = new Uint8Array(1000 * once.length);
    for (let i = 0; i < 1000; i++) many.set(once, i * once.length);
    player.send(many);
    for (let i = 0; i < 1000; i++) assert.equal((await player.answer())?.kind, 'done');
    assert.deepEqual(await player.end(), { code: END, signal: null });
    assert.equal(player.stdout, 'x'.repeat(1001));
  }));

test('T26: something else than "go on" in a pause ends the launcher', async () => {
  const paused = { records: [pseudo('PAUSE', 1), say], data: dataOf(8, [0, 'x']) };
  for (const next of [rawBatch(valid), new Uint8Array(32), new Uint8Array(3)]) {
    const player = new Player();
    assert.equal((await player.play(paused)).kind, 'paused');
    assert.deepEqual(await player.end(next), { code: CHANNEL, signal: null });
    assert.equal(player.stdout, '');
  }
});

const DATA = 64;
const OUT_OF_RANGE: readonly (readonly [string, RawRecord])[] = [
  ['pointer behind the data', syscall('getpid', { ptr: DATA + 1 })],
  ['pointer of 64 bits', syscall('getpid', { ptr: 2 ** 32 })],
  ['pointer before the data', syscall('getpid', { ptr: -8 })],
  ['64-bit load before the data', syscall('getpid', { load64: -8 })],
  ['32-bit load before the data', syscall('getpid', { load32: -4 })],
  ['sixth argument', syscall('getpid', 0, 0, 0, 0, 0, { ptr: DATA + 1 })],
  ['32-bit load across the end', syscall('getpid', { load32: DATA - 3 })],
  ['64-bit load across the end', syscall('getpid', { load64: DATA - 7 })],
  ['result across the end', { ...syscall('getpid'), dest: DATA - 7 }],
  ['32-bit result across the end', { ...syscall('getpid'), dest: DATA - 3, flags: WIRE.FLAG_DEST32 }],
  ['result far out', { ...syscall('getpid'), dest: 0xfffffffe }],
  ['unknown flag', { ...syscall('getpid'), flags: 4 }],
  ['seventh kind', { ...syscall('getpid'), kinds: 1 << 12 }],
  ['fork behind the records', pseudo('FORK', { ptr: 0 }, 88, 2)],
  ['fork to a loaded index', pseudo('FORK', { ptr: 0 }, 88, { load32: 0 })],
  ['decimal text without room for 20 digits', pseudo('DEC', 1, 0, 20)],
  ['decimal text across the end', pseudo('DEC', 1, DATA - 20, 21)],
  ['decimal text at a loaded offset', pseudo('DEC', 1, { load64: 0 }, 21)],
  ['decimal text with a loaded room', pseudo('DEC', 1, 0, { load64: 0 })],
  ['decimal text before the data', pseudo('DEC', 1, -16, 21)],
  ['room that overflows', pseudo('DEC', 1, 8, 2n ** 64n - 1n)],
  ['unknown comparison', pseudo('CHECK', 0, 3, 0, 0, 1)],
  ['loaded comparison', pseudo('CHECK', 0, { load32: 0 }, 0, 0, 1)],
  ['pseudo-operation before the first', { nr: WIRE.OP_FORK - 1, args: [] }],
  ['pseudo-operation behind the last', { nr: WIRE.OP_END + 1, args: [] }],
  ['the greatest number', { nr: 0xffffffff, args: [] }],
];

test('a record that points out of the data is refused, and nothing before it is executed', () =>
  withPlayer(async (player) => {
    for (const [what, record] of OUT_OF_RANGE) {
      const answer = await player.play({ records: [say, record], data: dataOf(DATA, [0, 'x']) });
      assert.deepEqual([answer.kind, answer.index, answer.errno], ['refused', 1, EINVAL], what);
    }
    await player.end();
    assert.equal(player.stdout, '');
  }));

test('a relocation out of the data is refused', () =>
  withPlayer(async (player) => {
    const wrong: readonly [number, bigint][] = [
      [DATA - 7, 0n],
      [0xffffffff, 0n],
      [8, BigInt(DATA + 1)],
      [8, -1n],
    ];
    for (const [at, value] of wrong) {
      const data = dataOf(DATA, [0, 'x'], [8, value]);
      const answer = await player.play({ records: [say], data, relocs: [at] });
      assert.deepEqual([answer.kind, answer.index], ['refused', 1], `${at} ${value}`);
    }
    // The same field twice: it then holds an address, which is no offset.
    const twice = await player.play({ records: [say], data: dataOf(DATA, [0, 'x']), relocs: [8, 8] });
    assert.equal(twice.kind, 'refused');
    await player.end();
    assert.equal(player.stdout, '');
  }));

test('the limits themselves are allowed', () =>
  withPlayer(async (player) => {
    const allowed: RawRecord[] = [
      syscall('getpid', { ptr: DATA }),
      syscall('getpid', { load32: DATA - 4 }),
      syscall('getpid', { load64: DATA - 8 }),
      { ...syscall('getpid'), dest: DATA - 8 },
      { ...syscall('getpid'), dest: DATA - 4, flags: WIRE.FLAG_DEST32 },
      pseudo('DEC', 2n ** 64n - 1n, DATA - 21, 21),
    ];
    const answer = await player.play({ records: allowed, data: dataOf(DATA), relocs: [DATA - 16] });
    assert.equal(answer.kind, 'done');
  }));
