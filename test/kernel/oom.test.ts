// The kernel kills a process that wants more memory than its limit, and the run says so.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, rootOnly } from '../harness/caisson.ts';

/** Doubles a string without end. */
const GREEDY = 'awk \'BEGIN { text = "0123456789abcdef"; for (;;) text = text text }\'';

const harness = new Harness();
after(() => {
  harness.close();
});

function memoryMissing(): string | false {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8')
    : '';
  return existsSync('/sys/fs/cgroup/memory') || v2.includes('memory') ? false : 'no memory controller';
}

const skip = rootOnly || memoryMissing();

test('a greedy program is killed, and the limit is named', { skip }, () => {
  const { code, stderr } = harness.run(['--rm', '--memory', '32m'], `exec ${GREEDY}`);
  assert.equal(code, 137);
  assert.equal(stderr, 'caisson: out of memory (limit 32 MiB)\n');
  assert.deepEqual(readdirSync(harness.state), []);
  harness.assertNothingLeft();
});

test('the same under --init, and behind a shell that hands the code on', { skip }, () => {
  for (const [flags, script] of [
    [['--init'], `exec ${GREEDY}`],
    [[], `${GREEDY}; exit $?`],
  ] as const) {
    const { code, stderr } = harness.run(['--rm', '--memory', '32m', ...flags], script);
    assert.equal(code, 137);
    assert.match(stderr, /caisson: out of memory \(limit 32 MiB\)\n/);
  }
});

test('a container that survives the kill of a process inside ends as it wants', { skip }, () => {
  const { code, stderr } = harness.run(['--rm', '--memory', '32m'], `${GREEDY}; exit 3`);
  assert.equal(code, 3);
  assert.doesNotMatch(stderr, /out of memory \(/);
});

test('another SIGKILL is not blamed on memory', { skip }, () => {
  const { code, stderr } = harness.run(['--rm', '--memory', '32m', '--init'], 'kill -KILL $$');
  assert.equal(code, 137);
  assert.equal(stderr, '');
});

test('a bundle: the line is the same', { skip }, () => {
  const parts = { linux: { resources: { memory: { limit: 48 << 20 } } } };
  const { code, stderr } = harness.oci(parts, `exec ${GREEDY}`);
  assert.equal(code, 137);
  assert.match(stderr, /^time=.* level=warning msg="out of memory \(limit 48 MiB\)/m);
});
