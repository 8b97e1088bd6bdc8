// What runs out: the disk (F05), descriptors (F06), processes (F07), memory (F08), the right to write (F19). One clear error each, true states, and
// everything works again when there is enough.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import type { CallOptions, Ended } from '../harness/caisson.ts';
import { Containers, failed, rootOnly, rounds } from './containers.ts';

const box = new Containers();
after(() => box.close());

/** The life of a container, command by command; what must have gone before is taken for granted. */
const COMMANDS: readonly (readonly string[])[] = [
  ['create', '--name', 'poor'],
  ['start', 'poor'],
  ['exec', 'poor', 'echo', 'on'],
  ['pause', 'poor'],
  ['unpause', 'poor'],
  ['rename', 'poor', 'poorer'],
  ['rename', 'poorer', 'poor'],
  ['ps', '-a'],
  ['inspect', 'poor'],
  ['logs', 'poor'],
  ['top', 'poor'],
  ['restart', '-t', '0', 'poor'],
  ['stop', '-t', '0', 'poor'],
  ['diff', 'poor'],
  ['rm', '-f', 'poor'],
];

const withRoot = (words: readonly string[]): string[] =>
  words[0] === 'create' ? [...words, 'host', '/bin/sleep', '1000'] : [...words];

/** Fails with one clear line, or does what it should. */
function clear(words: readonly string[], { code, stderr }: Ended, expected: RegExp): boolean {
  if (code === 0) return true;
  // What QuickJS hands over to Bun needs Bun's threads and files, without which Bun itself gives up.
  if (/^=+\nBun v|bun ran out of/.test(stderr)) return false;
  const what = `${words.join(' ')}: ${code}: ${stderr}`;
  assert.doesNotMatch(stderr, /unexpected|\.(?:js|ts):\d+|\bat .*\(/, what);
  assert.match(stderr, expected, what);
  return false;
}

/** Each command in want, and then the same with plenty: it must work. */
function inWant(options: CallOptions, expected: RegExp): number {
  let failures = 0;
  for (const words of COMMANDS) {
    const poor = box.call(withRoot(words), options);
    if (clear(words, poor, expected)) continue;
    failures++;
    // What was half done is finished, or done anew.
    const again = box.call(withRoot(words));
    const done = /already (?:in use|paused)|is not paused|No such container|not running/;
    if (again.code !== 0) assert.match(again.stderr, done, `${words.join(' ')} with plenty: ${again.stderr}`);
  }
  box.call(['rm', '-f', 'poor', 'poorer']);
  return failures;
}

test('F06: few descriptors', { skip: rootOnly }, async () => {
  let failures = 0;
  for (const limit of [4, 6, 8, 10, 12, 14, 16, 20, 24, 32, 64])
    failures += inWant(
      { prefix: ['prlimit', `--nofile=${limit}:${limit}`] },
      /EMFILE|too many open files|EINVAL.*system call fcntl/is,
    );
  assert.ok(failures > 0, 'some of them must have been too few');
  await new Promise((resolve) => setTimeout(resolve, 2100));
  box.output(['system', 'repair']);
  box.clear();
});

test('F07: no more processes', { skip: rootOnly }, async () => {
  const cgroup = `/sys/fs/cgroup/pids/caisson-want-${process.pid}`;
  mkdirSync(cgroup);
  let failures = 0;
  try {
    for (let limit = 1; limit <= rounds(8, 24); limit++) {
      writeFileSync(`${cgroup}/pids.max`, String(limit));
      const prefix = ['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs; exec "$@"`, 'sh'];
      failures += inWant({ prefix }, /EAGAIN|resource temporarily unavailable|process/i);
    }
  } finally {
    await box.until(() => removed(cgroup), 'the end of all in it');
  }
  assert.ok(failures > 0, 'some of them must have been too few');
  await new Promise((resolve) => setTimeout(resolve, 2100));
  box.output(['system', 'repair']);
  box.clear();
});

function removed(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch {
    return false;
  }
}

test('F05: a full data root: clear errors, true states; stop and rm work all the same', {
  skip: rootOnly,
}, () => {
  spawnSync('rm', ['-rf', box.dataRoot]);
  mkdirSync(box.dataRoot);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', box.dataRoot]);
  assert.equal(mounted.status, 0);
  const fill = (): void => {
    spawnSync('sh', ['-c', `cat /dev/zero > ${box.dataRoot}/filler 2> /dev/null`]);
  };
  const leave = (kilobytes: number): void => {
    spawnSync('truncate', ['-s', `-${kilobytes}K`, `${box.dataRoot}/filler`]);
  };
  const full = /ENOSPC|no space left|No such (?:container|object)|not running|not paused/i;
  try {
    box.output(['run', '-d', '--name', 'before', 'host', '/bin/sleep', '1000']);
    box.output(['images']);
    let failures = 0;
    for (const kilobytes of [0, 4, 8, 12, 16, 20, 24, 32, 48, 64]) {
      fill();
      leave(kilobytes);
      for (const words of COMMANDS) if (!clear(words, box.call(withRoot(words)), full)) failures++;
      // Whatever has failed: it can go on the full disk.
      const gone = box.call(['rm', '-f', 'poor', 'poorer']);
      assert.equal(gone.code, 0, gone.stderr);
      assert.equal(box.output(['ps', '-a', '--format', '{{.Names}} {{.State}}']), 'before running');
      assert.equal(box.output(['exec', 'before', 'echo', 'on']), 'on');
    }
    assert.ok(failures > 0);
    fill();
    failed(box.call(['run', '-d', 'host', 'true']), 125, full);
    box.output(['stop', '-t', '0', 'before']);
    assert.equal(box.output(['wait', 'before']), '137', 'its exit code had its room');
    box.output(['rm', 'before']);
    box.output(['system', 'repair']);
    spawnSync('rm', [`${box.dataRoot}/filler`]);
    assert.equal(box.output(['run', '--rm=false', '--name', 'after', 'host', 'echo', 'room']), 'room');
    box.output(['rm', 'after']);
    box.assertNoPlaces();
  } finally {
    spawnSync('rm', ['-f', `${box.dataRoot}/filler`]);
    box.call(['rm', '-f', 'before', 'poor', 'poorer', 'after']);
    spawnSync('umount', [box.dataRoot]);
  }
  box.clear();
});

test('F19: a data root that has become read-only: everything can be seen, and what would write is refused', {
  skip: rootOnly,
}, () => {
  spawnSync('rm', ['-rf', box.dataRoot]);
  mkdirSync(box.dataRoot);
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', box.dataRoot]).status, 0);
  const remount = (how: string): void => {
    assert.equal(spawnSync('mount', ['-o', `remount,${how}`, box.dataRoot]).status, 0);
  };
  try {
    // Of a container that runs the log is open, and the kernel refuses to make it read-only.
    const name = box.detached([], 'echo 1; exit 5');
    assert.equal(box.output(['wait', name]), '5');
    remount('ro');
    assert.match(box.output(['ps', '-a', '--format', '{{.Names}} {{.Status}}']), /^box-\d+ Exited \(5\)/);
    assert.equal(box.output(['inspect', '-f', '{{.State.ExitCode}}', name]), '5');
    assert.equal(box.output(['logs', name]), '1');
    for (const words of [
      ['run', '-d', 'host', 'true'],
      ['create', 'host', 'true'],
      ['start', name],
      ['rename', name, 'other'],
      ['rm', '-f', name],
    ]) {
      const { code, stderr } = box.call(words);
      assert.ok(code !== 0, words.join(' '));
      assert.match(stderr, /EROFS|read-only/i, words.join(' '));
      assert.doesNotMatch(stderr, /unexpected/, words.join(' '));
    }
    remount('rw');
    box.output(['start', name]);
    assert.equal(box.output(['wait', name]), '5');
    box.output(['rm', name]);
    box.assertNoPlaces();
  } finally {
    remount('rw');
    spawnSync('umount', [box.dataRoot]);
  }
  box.clear();
});

test('F08: out of memory: of the container, of a command executed in it, and of nobody', {
  skip: rootOnly,
}, () => {
  const greedy = 'x=$(head -c 64000000 /dev/zero | tr "\\0" x); echo $x | wc -c';
  const limits = ['--memory', '24m', '--memory-swap', '24m'];
  const own = box.detached(limits, `exec sh -c '${greedy}'`);
  assert.equal(box.output(['wait', own]), '137');
  assert.equal(box.disk(own).exited?.oom, true);
  const other = box.detached(limits, 'trap "exit 4" TERM; while :; do sleep 0.05; done');
  assert.equal(box.call(['exec', other, 'sh', '-c', `exec sh -c '${greedy}'`]).code, 137);
  assert.equal(box.output(['inspect', '-f', '{{.State.Running}} {{.State.OOMKilled}}', other]), 'true false');
  box.output(['stop', other]);
  assert.deepEqual([box.disk(other).exited?.code, box.disk(other).exited?.oom], [4, false]);
  const killed = box.detached(limits, 'sleep 100');
  box.output(['kill', killed]);
  assert.deepEqual([box.disk(killed).exited?.code, box.disk(killed).exited?.oom], [137, false]);
  box.clear();
});
