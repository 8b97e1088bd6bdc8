// Many runs in one process leave no descriptor, no child, no record and no cgroup behind.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { run } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';

const RUNS = process.env.CAISSON_LONG === '1' ? 2000 : 200;

const harness = new Harness();
after(() => {
  harness.close();
});

/** Descriptors of this process, by what they are open on, once the event loop has closed what it closes later. */
async function descriptors(): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`).replace(/:\[\d+\]$/, '')];
    } catch {
      return [];
    }
  });
}

function children(): string[] {
  const lists = readdirSync('/proc/self/task').map((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'utf8');
    } catch {
      return '';
    }
  });
  return lists.flatMap((list) => list.split(' ')).filter((pid) => pid !== '');
}

async function once(): Promise<void> {
  const { exitCode, stdout } = await run({
    command: ['echo', 'hello'],
    flags: { rootfs: harness.rootfs },
    stateRoot: harness.state,
  });
  assert.equal(exitCode, 0);
  assert.equal(stdout, 'hello\n');
}

test(`${RUNS} runs in one process`, { skip }, async () => {
  for (let index = 0; index < 5; index++) await once();
  const before = await descriptors();
  for (let index = 0; index < RUNS; index++) await once();
  assert.deepEqual((await descriptors()).sort(), before.sort());
  assert.deepEqual(children(), []);
  assert.deepEqual(readdirSync(harness.state), []);
  harness.assertNothingLeft();
});

test('a program that is killed for want of memory says so', { skip }, async () => {
  const { exitCode, outOfMemory } = await run({
    command: ['awk', 'BEGIN { text = "0123456789abcdef"; for (;;) text = text text }'],
    flags: { rootfs: harness.rootfs, memory: '32m' },
    stateRoot: harness.state,
  });
  assert.equal(exitCode, 137);
  assert.deepEqual(outOfMemory, { limit: 32 << 20 });
});
