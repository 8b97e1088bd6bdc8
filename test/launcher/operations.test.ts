// The player's own operations, tolerated errnos, and what one batch leaves for the next.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WIRE } from '../../src/plan/wire.ts';
import { type Player, textAt, u32, u64, withPlayer } from './player.ts';
import { dataOf, pseudo, type RawArgument, syscall } from './raw-batch.ts';

const ENOENT = 2;
const EAGAIN = 11;
const EINVAL = 22;
const SIGCHLD = 17;

async function checked(player: Player, ...args: RawArgument[]): Promise<number> {
  const records = [{ ...pseudo('CHECK', ...args), dest: 0 }];
  const answer = await player.play({ records, data: dataOf(16, [8, 0xf0n]) });
  assert.ok(answer.kind === 'done' || answer.kind === 'failed');
  return answer.kind === 'done' ? 0 : answer.errno;
}

test('CHECK compares without sign, under a mask', () =>
  withPlayer(async (player) => {
    const { CHECK_EQ: EQ, CHECK_NE: NE, CHECK_GE: GE } = WIRE;
    const big = 0xffffffffffffffffn;
    const table: readonly [bigint, number, bigint, bigint, boolean][] = [
      [5n, EQ, 5n, big, true],
      [5n, EQ, 6n, big, false],
      [5n, NE, 6n, big, true],
      [5n, NE, 5n, big, false],
      [5n, GE, 5n, big, true],
      [6n, GE, 5n, big, true],
      [4n, GE, 5n, big, false],
      [big, GE, 1n, big, true],
      [1n, GE, big, big, false],
      [big, EQ, big, big, true],
      [0x8000000000000000n, GE, 0x7fffffffffffffffn, big, true],
      [0xf5n, EQ, 5n, 0x0fn, true],
      [0xf5n, EQ, 0xf5n, 0x0fn, false],
      [0xf0n, NE, 0n, 0x0fn, false],
      [-2n, EQ, -2n, big, true],
    ];
    for (const [left, operator, right, mask, holds] of table) {
      const errno = await checked(player, left, operator, right, mask, 61);
      assert.equal(errno, holds ? 0 : 61, `(${left} & ${mask}) ${operator} ${right}`);
    }
    assert.equal(await checked(player, { load64: 8 }, EQ, 0xf0, -1, 5), 0);
    assert.equal(await checked(player, { load32: 8 }, NE, 0xf0, -1, 5), 5);
    assert.equal(await checked(player, 1, EQ, { load64: 8 }, { load64: 8 }, 7), 7);
    for (const none of [0, 4096, -1]) assert.equal(await checked(player, 1, EQ, 2, -1, none), EINVAL);
  }));

test('the result of CHECK is its left side, also where that is a tolerated errno', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [
        { ...syscall('chdir', { ptr: 32 }), dest: 0, tolerate: [ENOENT] },
        { ...pseudo('CHECK', { load64: 0 }, WIRE.CHECK_EQ, -ENOENT, -1, 1), dest: 8 },
        { ...pseudo('CHECK', 9, WIRE.CHECK_NE, 9, -1, 33), dest: 16, tolerate: [33] },
      ],
      data: dataOf(48, [32, '/no/such']),
    });
    assert.equal(answer.kind, 'done');
    assert.deepEqual(
      [0, 8, 16].map((at) => BigInt.asIntN(64, u64(answer, at))),
      [-2n, -2n, -33n],
    );
  }));

test('DEC writes decimal text, its NUL, and nothing behind it', () =>
  withPlayer(async (player) => {
    for (const value of [
      0n,
      9n,
      10n,
      4294967295n,
      1n << 32n,
      (1n << 63n) - 1n,
      1n << 63n,
      (1n << 64n) - 1n,
    ]) {
      const answer = await player.play({
        records: [{ ...pseudo('DEC', { load64: 0 }, 16, 21), dest: 8 }],
        data: dataOf(48, [0, value], [16, '########################'], [40, 0x2323232323232323n]),
      });
      assert.equal(answer.kind, 'done');
      assert.equal(textAt(answer, 16), String(value));
      assert.equal(u64(answer, 8), BigInt(String(value).length));
      assert.equal(textAt(answer, 16 + String(value).length + 1).length, 48 - 16 - String(value).length - 1);
    }
  }));

test('an errno is tolerated at each of the four places, and no other', () =>
  withPlayer(async (player) => {
    const missing = { ...syscall('chdir', { ptr: 16 }), dest: 0 };
    const data = dataOf(32, [16, '/no/such']);
    for (const tolerate of [[ENOENT], [1, ENOENT], [1, 3, ENOENT], [1, 3, 4, ENOENT]]) {
      const answer = await player.play({ records: [{ ...missing, tolerate }], data });
      assert.equal(answer.kind, 'done');
      assert.equal(BigInt.asIntN(64, u64(answer, 0)), -2n);
    }
    for (const tolerate of [[], [1, 3, 4, 5], [0, 0, 0, 254]]) {
      const answer = await player.play({ records: [syscall('getpid'), { ...missing, tolerate }], data });
      assert.deepEqual([answer.kind, answer.index, answer.errno], ['failed', 1, ENOENT]);
      assert.equal(u64(answer, 0), 0n);
    }
  }));

test('what fails stops its batch, and the next batch is played', () =>
  withPlayer(async (player) => {
    const say = (at: number) => syscall('write', 1, { ptr: at }, 1);
    const data = dataOf(16, [0, '/no/such'], [12, 'abc']);
    const failed = await player.play({ records: [say(12), syscall('chdir', { ptr: 0 }), say(13)], data });
    assert.deepEqual([failed.kind, failed.index, failed.errno], ['failed', 1, ENOENT]);
    assert.equal((await player.play({ records: [say(14)], data })).kind, 'done');
    await player.end();
    assert.equal(player.stdout, 'ac');
  }));

test('END ends a batch', () =>
  withPlayer(async (player) => {
    const say = syscall('write', 1, { ptr: 0 }, 1);
    assert.equal(
      (await player.play({ records: [say, pseudo('END'), say], data: dataOf(8, [0, 'x']) })).kind,
      'done',
    );
    await player.end();
    assert.equal(player.stdout, 'x');
  }));

test('PAUSE answers with its name and what is known, and goes on when told', () =>
  withPlayer(async (player) => {
    const say = (at: number) => syscall('write', 1, { ptr: at }, 1);
    const paused = await player.play({
      records: [say(8), { ...pseudo('PAUSE', 77), dest: 0 }, say(9), pseudo('PAUSE', { load32: 16 })],
      data: dataOf(24, [0, -1n], [8, 'ab'], [16, 78n]),
    });
    assert.deepEqual(
      [paused.kind, paused.index, paused.pause, u64(paused, 0)],
      ['paused', 1, 77, 0xffffffffffffffffn],
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(player.stdout, 'a');
    const again = await player.goOn();
    assert.deepEqual([again.kind, again.index, again.pause, u64(again, 0)], ['paused', 3, 78, 0n]);
    assert.equal((await player.goOn()).kind, 'done');
    await player.end();
    assert.equal(player.stdout, 'ab');
  }));

test('RETRY is bounded', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [
        syscall('pipe2', { ptr: 0 }, 0o2004000),
        { ...syscall('read', { load32: 0 }, { ptr: 8 }, 8), flags: WIRE.FLAG_RETRY },
      ],
      data: dataOf(16),
    });
    assert.deepEqual([answer.kind, answer.index, answer.errno], ['failed', 1, EAGAIN]);
  }));

// clone_args at 0 (exit_signal is its fifth field), the child's pid at 88, its status at 96.
const FORKED = dataOf(128, [32, BigInt(SIGCHLD)], [104, '/no/such']);
const fork = (child: number) => ({ ...pseudo('FORK', { ptr: 0 }, 88, child), dest: 88 });
const wait = syscall('wait4', { load64: 88 }, { ptr: 96 }, 0, 0);

test('FORK: parent and child play their own parts', () =>
  withPlayer(async (player) => {
    const say = (at: number) => syscall('write', 1, { ptr: at }, 1);
    const answer = await player.play({
      records: [fork(4), wait, say(112), pseudo('END'), say(113), syscall('exit_group', 7)],
      data: dataOf(128, [32, BigInt(SIGCHLD)], [112, 'pc']),
    });
    assert.equal(answer.kind, 'done');
    assert.equal(u32(answer, 96) >> 8, 7);
    assert.notEqual(u64(answer, 88), BigInt(player.pid));
    await player.end();
    assert.equal(player.stdout, 'cp');
  }));

test('FORK: a child that fails answers itself, plays what it is sent, and the parent goes on when it has left', () =>
  withPlayer(async (player) => {
    const failed = await player.play({
      records: [fork(3), wait, pseudo('END'), syscall('chdir', { ptr: 104 })],
      data: FORKED,
    });
    assert.deepEqual([failed.kind, failed.index, failed.errno], ['failed', 3, ENOENT]);
    const inChild = await player.play({ records: [{ ...syscall('getppid'), dest: 0 }], data: dataOf(8) });
    assert.equal(u64(inChild, 0), BigInt(player.pid));
    const parent = await player.play({ records: [syscall('exit_group', 9)] });
    assert.deepEqual([parent.kind, u32(parent, 96) >> 8], ['done', 9]);
    const inParent = await player.play({ records: [{ ...syscall('getpid'), dest: 0 }], data: dataOf(8) });
    assert.equal(u64(inParent, 0), BigInt(player.pid));
  }));

test('FORK: a child that waits in a pause ends with the channel', () =>
  withPlayer(async (player) => {
    const paused = await player.play({
      records: [fork(3), wait, pseudo('END'), pseudo('PAUSE', 1)],
      data: FORKED,
    });
    assert.equal(paused.kind, 'paused');
    // The parent's own answer then finds nobody: SIGPIPE, or the end if it comes to reading first.
    const { code, signal } = await player.end();
    assert.ok(code === 0 || signal === 'SIGPIPE', `${code} ${signal}`);
  }));

test('the trace stamps every record with the monotonic clock', () =>
  withPlayer(async (player) => {
    const records = [syscall('getpid'), syscall('sched_yield'), syscall('getpid')];
    const before = process.hrtime.bigint();
    const answer = await player.play({ records, data: dataOf(40, [32, -1n]), trace: 8 });
    const stamps = [8, 16, 24].map((at) => u64(answer, at));
    assert.deepEqual(
      stamps,
      stamps.toSorted((a, b) => Number(a - b)),
    );
    assert.ok((stamps[0] as bigint) >= before && (stamps[2] as bigint) <= process.hrtime.bigint());
    assert.deepEqual([u64(answer, 0), u64(answer, 32)], [0n, 0xffffffffffffffffn]);
  }));
