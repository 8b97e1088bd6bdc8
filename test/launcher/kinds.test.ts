// Arguments, relocations and results: every kind of argument reaches the kernel as it is meant.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WIRE } from '../../src/plan/wire.ts';
import { textAt, u32, u64, withPlayer } from './player.ts';
import { dataOf, pseudo, syscall } from './raw-batch.ts';

test('an immediate argument, and a result of 64 bits', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [{ ...syscall('getpid'), dest: 8 }],
      data: dataOf(24, [0, 0x1111111111111111n], [8, -1n], [16, 0x2222222222222222n]),
    });
    assert.equal(answer.kind, 'done');
    assert.equal(answer.index, 1);
    assert.deepEqual(
      [u64(answer, 0), u64(answer, 8), u64(answer, 16)],
      [0x1111111111111111n, BigInt(player.pid), 0x2222222222222222n],
    );
  }));

test('a result of 32 bits leaves its neighbours alone', () =>
  withPlayer(async (player) => {
    const records = [4, 9].map((dest) => ({ ...syscall('getpid'), dest, flags: WIRE.FLAG_DEST32 }));
    const answer = await player.play({ records, data: new Uint8Array(16).fill(0xaa) });
    const bytes = Buffer.alloc(16, 0xaa);
    bytes.writeUInt32LE(player.pid, 4);
    bytes.writeUInt32LE(player.pid, 9);
    assert.deepEqual(Buffer.from(answer.data), bytes);
  }));

test('six arguments arrive in order, and 64-bit ones whole', () =>
  withPlayer(async (player) => {
    // mmap(2) takes six; MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED at an address above 4 GiB gives that address.
    const address = 0x123456789000n;
    const answer = await player.play({
      records: [{ ...syscall('mmap', address, 4096, 3, 0x32, -1, 0), dest: 0 }],
      data: dataOf(8),
    });
    assert.equal(u64(answer, 0), address);
  }));

test('a pointer argument', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [syscall('write', 1, { ptr: 3 }, 5)],
      data: dataOf(8, [3, 'hello']),
    });
    assert.equal(answer.kind, 'done');
    await player.end();
    assert.equal(player.stdout, 'hello');
  }));

test('values of 32 and 64 bits loaded from the data', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [
        syscall('pipe2', { ptr: 0 }, 0o2000000),
        { ...syscall('write', { load32: 4 }, { ptr: 16 }, { load64: 8 }), dest: 40 },
        { ...syscall('read', { load32: 0 }, { ptr: 24 }, 16), dest: 48 },
      ],
      data: dataOf(56, [8, 6n], [16, 'loaded']),
    });
    assert.equal(answer.kind, 'done');
    assert.deepEqual([u64(answer, 40), u64(answer, 48), textAt(answer, 24)], [6n, 6n, 'loaded']);
    assert.ok(u32(answer, 0) >= 3);
  }));

test('a loaded value is exact to its last bit, and needs no alignment', () =>
  withPlayer(async (player) => {
    const value = 0xfedcba9876543210n;
    const answer = await player.play({
      records: [
        pseudo('CHECK', { load64: 3 }, WIRE.CHECK_EQ, value, -1, 22),
        pseudo('CHECK', { load32: 3 }, WIRE.CHECK_EQ, 0x76543210, -1, 22),
      ],
      data: dataOf(16, [3, value]),
    });
    assert.equal(answer.kind, 'done');
  }));

test('relocations turn data offsets into pointers', () =>
  withPlayer(async (player) => {
    // struct iovec[2] at 0: {16, 3} and {24, 4}; writev(2) prints both.
    const answer = await player.play({
      records: [syscall('writev', 1, { ptr: 0 }, 2)],
      data: dataOf(48, [0, 32n], [8, 3n], [16, 40n], [24, 4n], [32, 'one'], [40, 'four']),
      relocs: [0, 16],
    });
    assert.equal(answer.kind, 'done');
    await player.end();
    assert.equal(player.stdout, 'onefour');
  }));

test('an answer carries the first bytes of the data, as many as the batch asked for', () =>
  withPlayer(async (player) => {
    for (const reply of [0, 1, 7, 16]) {
      const answer = await player.play({ records: [], data: dataOf(16, [0, 'abcdefghijklmnop']), reply });
      assert.equal(Buffer.from(answer.data).toString(), 'abcdefghijklmnop'.slice(0, reply));
    }
  }));

test('a pointer to the end of the data is allowed, and one call behind it is a fault', () =>
  withPlayer(async (player) => {
    const zero = { ...syscall('openat', -100, { ptr: 0 }, 0), dest: 16 };
    const beyond = await player.play({
      records: [zero, syscall('read', { load64: 16 }, { ptr: 32 }, 1)],
      data: dataOf(32, [0, '/dev/zero']),
    });
    assert.deepEqual([beyond.kind, beyond.index, beyond.errno], ['failed', 1, 14]);
    // read(2) fills what it can reach: a too large length is cut exactly at the end of the data.
    const cut = await player.play({
      records: [zero, { ...syscall('read', { load64: 16 }, { ptr: 24 }, 1 << 20), dest: 0 }],
      data: dataOf(32, [0, '/dev/zero'], [24, -1n]),
    });
    assert.deepEqual([cut.kind, u64(cut, 0), u64(cut, 24)], ['done', 8n, 0n]);
    // A structure that does not fit, and a string without its NUL, are faults, too.
    const struct = await player.play({ records: [syscall('uname', { ptr: 0 })], data: dataOf(64) });
    assert.deepEqual([struct.kind, struct.errno], ['failed', 14]);
    const string = await player.play({
      records: [syscall('chdir', { ptr: 0 })],
      data: dataOf(8, [0, '////////']),
    });
    assert.deepEqual([string.kind, string.errno], ['failed', 14]);
    const whole = await player.play({
      records: [syscall('chdir', { ptr: 0 })],
      data: dataOf(8, [0, '///////']),
    });
    assert.equal(whole.kind, 'done');
  }));
