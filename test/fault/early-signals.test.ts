// Signals that come while a run is still on its way to the program: what it has made is taken back.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, skip } from '../harness/caisson.ts';
import { childOf, wait } from './traces.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** In a process group of its own, as a shell starts it: a terminal signals the launcher, too. */
function start(args: readonly string[]): { child: ChildProcess; ended: Promise<number | string> } {
  const [first = '', ...rest] = harness.commandLine(args);
  const child = spawn(first, rest, { detached: true, stdio: 'ignore' });
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? '');
    });
  });
  return { child, ended };
}

function interrupt({ pid = 0 }: ChildProcess, signal: NodeJS.Signals, group: boolean): void {
  try {
    process.kill(group ? -pid : pid, signal);
  } catch {
    // It has ended by itself.
  }
}

for (const group of [false, true]) {
  test(`a signal to ${group ? 'the process group' : 'the command'} during a start leaves nothing`, {
    skip,
  }, async () => {
    for (let delay = 4; delay < 64; delay += 2) {
      const { child, ended } = start(['run', '--init', '--rootfs', harness.rootfs, 'sleep', '0.1']);
      await wait(delay);
      interrupt(child, 'SIGTERM', group);
      const code = await ended;
      assert.ok([0, 143, 'SIGTERM'].includes(code), `${code} after ${delay} ms`);
    }
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });
}

test('an archive is not unpacked to its end once the command is interrupted', { skip }, async () => {
  const tree = harness.makeDirectory('tree');
  for (let i = 0; i < 200; i++) {
    mkdirSync(`${tree}/${i}`);
    for (let j = 0; j < 100; j++) writeFileSync(`${tree}/${i}/${j}`, 'content');
  }
  const archive = `${harness.directory}/tree.tar`;
  execFileSync('tar', ['-cf', archive, '-C', tree, '.']);
  const { child, ended } = start(['run', '--rootfs-tar', archive, 'true']);
  for (let i = 0; i < 500 && readdirSync(harness.state).length === 0; i++) await wait(2);
  await wait(20);
  interrupt(child, 'SIGINT', false);
  assert.equal(await ended, 130);
  assert.deepEqual(readdirSync(harness.state), []);
});

test('a signal to a command whose launcher has just been killed is no error of its own', {
  skip,
}, async () => {
  const started = harness.start(harness.runArguments([], 'echo ready; exec sleep 30'));
  await started.untilPrinted('ready');
  const { pid = 0 } = started.child;
  process.kill(pid, 'SIGSTOP');
  process.kill(childOf(pid), 'SIGKILL');
  process.kill(pid, 'SIGTERM');
  process.kill(pid, 'SIGCONT');
  const { code, stderr } = await started.end();
  // The program may have printed before its command was told that it runs; then the signal came before that.
  const expected =
    code === 143
      ? 'caisson: interrupted by SIGTERM before the program ran\n'
      : 'caisson: the launcher has ended unexpectedly\n';
  assert.ok(code === 143 || code === 125, String(code));
  assert.equal(stderr, expected);
});
