// Where the launcher's own code lies, what it leaves open, and which channels it takes (T01, T02, T03).
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { textAt, u64, withPlayer } from './player.ts';
import { program, withDirectory } from './programs.ts';
import { dataOf, pseudo, type RawBatch, rawBatch, syscall } from './raw-batch.ts';

const MEMFD = 121;
const USAGE = 122;
const F_GET_SEALS = 1034;
const BASE_SEALS = 0xf; // SEAL, SHRINK, GROW, WRITE
const ETXTBSY = 26;
const ENOENT = 2;
const O_WRONLY = 1;

const EMPTY: RawBatch = { records: [] };
const root = process.getuid?.() === 0;

test('T01: the launcher runs from a memory file with every seal, which nobody can open for writing', () =>
  withPlayer(async (player) => {
    await player.play(EMPTY);
    const exe = `/proc/${player.pid}/exe`;
    assert.match(readlinkSync(exe), /^\/memfd:caisson-launcher/);
    const data = dataOf(96, [16, exe], [64, -1n]);
    const answer = await player.play({
      records: [
        { ...syscall('openat', -100, { ptr: 16 }, 0), dest: 0 },
        { ...syscall('fcntl', { load64: 0 }, F_GET_SEALS), dest: 64 },
        syscall('openat', -100, { ptr: 16 }, O_WRONLY),
      ],
      data,
    });
    assert.deepEqual([answer.kind, answer.index, answer.errno], ['failed', 2, ETXTBSY]);
    assert.equal(Number(u64(answer, 64)) & BASE_SEALS, BASE_SEALS);
  }));

test('T02: its file is not the installed one, and every launcher has its own', () =>
  withPlayer((first) =>
    withPlayer(async (second) => {
      const identity = (path: string) => `${statSync(path).dev}:${statSync(path).ino}`;
      await Promise.all([first.play(EMPTY), second.play(EMPTY)]);
      const files = [program('launcher'), `/proc/${first.pid}/exe`, `/proc/${second.pid}/exe`].map(identity);
      assert.equal(new Set(files).size, 3);
      assert.deepEqual(readFileSync(`/proc/${first.pid}/exe`), readFileSync(program('launcher')));
    }),
  ));

test('a launcher that is started from a sealed memory file stays there', () =>
  withPlayer(async (first) => {
    await first.play(EMPTY);
    const command = `/proc/${first.pid}/exe`;
    await withPlayer(
      async (second) => {
        await second.play(EMPTY);
        assert.equal(statSync(`/proc/${second.pid}/exe`).ino, statSync(command).ino);
      },
      { command },
    );
  }));

test('T03: what the launcher found open is not inherited by what it executes', async () => {
  const strays = Array.from({ length: 40 }, () => openSync('/', 'r'));
  try {
    await withPlayer(
      async (player) => {
        const data = dataOf(96, [0, 24n], [8, 32n], [24, 'ls'], [32, '/proc/self/fd'], [48, '/bin/ls']);
        player.send(
          rawBatch({ records: [syscall('execve', { ptr: 48 }, { ptr: 0 }, 0)], data, relocs: [0, 8] }),
        );
        await player.ended;
        assert.equal(player.stdout, '0\n1\n2\n3\n'); // 3 is what ls opens
      },
      { descriptors: strays },
    );
  } finally {
    strays.forEach(closeSync);
  }
});

test('a plan lists what is inherited', async () => {
  const extra = openSync('/etc/hostname', 'r');
  try {
    await withPlayer(
      async (player) => {
        const data = dataOf(96, [0, 24n], [8, 32n], [24, 'ls'], [32, '/proc/self/fd'], [48, '/bin/ls']);
        const records = [syscall('fcntl', 4, 2, 0), syscall('execve', { ptr: 48 }, { ptr: 0 }, 0)];
        player.send(rawBatch({ records, data, relocs: [0, 8] }));
        await player.ended;
        assert.equal(player.stdout, '0\n1\n2\n3\n4\n');
      },
      { descriptors: [extra] },
    );
  } finally {
    closeSync(extra);
  }
});

test('the channel may be two pipes', () => {
  const input = Buffer.concat([
    rawBatch({ records: [syscall('write', 2, { ptr: 0 }, 3)], data: dataOf(8, [0, 'two']) }),
    rawBatch({ records: [syscall('chdir', { ptr: 0 })], data: dataOf(8, [0, '/no']), reply: 0 }),
  ]);
  const script = 'cat | "$0" 3 4 3<&0 4>&1 </dev/null >/dev/null | cat';
  const { stdout, stderr } = spawnSync('sh', ['-c', script, program('launcher')], { input });
  assert.equal(stderr.toString(), 'two');
  assert.equal(stdout.length, 24 + 8 + 24);
  assert.equal(stdout.readUInt32LE(24 + 8 + 12), ENOENT);
});

test('the channel may be non-blocking', () => {
  // The first batch makes it so (F_SETFL, O_NONBLOCK); nothing comes for a while, and then the second.
  const set = rawBatch({ records: [syscall('fcntl', 0, 4, 0o4000)] });
  const script = '(dd bs="$1" count=1 iflag=fullblock status=none; sleep 0.2; cat) | "$0" 0 1 | cat';
  const input = Buffer.concat([set, set]);
  const { stdout } = spawnSync('sh', ['-c', script, program('launcher'), String(set.length)], { input });
  assert.deepEqual([stdout.length, stdout.readUInt32LE(4), stdout.readUInt32LE(28)], [48, 1, 1]);
});

test('wrong arguments and closed channels', () => {
  const status = (...args: string[]) => spawnSync(program('launcher'), args, { stdio: 'ignore' }).status;
  for (const wrong of ['', 'x', '3x', '-1', '99999999999999999999'])
    assert.equal(status(wrong), USAGE, wrong);
  assert.equal(status('3', 'x'), USAGE);
  assert.equal(status(), 120);
  assert.equal(status('77'), 120);
  assert.equal(status('65535', '65535'), 120);
});

test('vm.memfd_noexec: 0 and 1 are no hindrance, 2 is reported', {
  skip: root ? false : 'needs root',
}, () => {
  for (const [level, wanted] of [
    [0, 120],
    [1, 120],
    [2, MEMFD],
  ] as const) {
    const script = `echo ${level} > /proc/sys/vm/memfd_noexec && exec "$0" 77`;
    const args = ['-pf', '--mount-proc', 'sh', '-c', script, program('launcher')];
    const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
    assert.equal(status, wanted, `level ${level}: ${stderr}`);
  }
});

test('without /proc the launcher cannot seal itself and says so', {
  skip: root ? false : 'needs root',
}, () => {
  const args = ['-m', 'sh', '-c', 'umount -l /proc && exec "$0" 77', program('launcher')];
  assert.equal(spawnSync('unshare', args).status, MEMFD);
});

test(
  'strace of the launcher is its start and then the records',
  { skip: hasStrace() ? false : 'strace is absent' },
  () =>
    withDirectory((directory) => {
      const input = rawBatch({
        records: [
          syscall('getpid'),
          pseudo('CHECK', 1, 0, 1, -1, 1),
          pseudo('DEC', 7, 0, 21),
          syscall('getppid'),
        ],
        data: dataOf(24),
      });
      const log = join(directory, 'log');
      execFileSync('strace', ['-o', log, program('launcher'), '0', '1'], { input });
      const lines = readFileSync(log, 'utf8').split('\n');
      const names = lines.map((line) => /^(\w+)\(/.exec(line)?.[1]).filter((name) => name !== undefined);
      assert.deepEqual(names, [
        ...['execve', 'openat', 'fcntl', 'memfd_create', 'sendfile', 'sendfile', 'fcntl', 'execveat'],
        ...['openat', 'fcntl', 'close', 'close_range', 'mprotect'],
        ...['read', 'read', 'getpid', 'getppid', 'write', 'read', 'exit_group'],
      ]);
    }),
);

function hasStrace(): boolean {
  return spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;
}

test('a string that a plan reads back', () =>
  withPlayer(async (player) => {
    const answer = await player.play({
      records: [syscall('getcwd', { ptr: 0 }, 256)],
      data: new Uint8Array(256),
    });
    assert.equal(textAt(answer, 0), process.cwd());
  }));
