// The kernel tests of cgroups, once more on a kernel that has cgroup v2 only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInUml, umlMissing } from './harness.ts';

const skip = umlMissing() ?? false;

test('cgroup v2: limits, devices, freezing, killing, removal', { skip }, async () => {
  const result = await runInUml({
    script: `cd "$REPOSITORY" && node --test --test-reporter=tap build/test/kernel/cgroup.test.js`,
    env: { REPOSITORY: process.cwd() },
    timeout: 100,
  });
  assert.equal(result.status, 0, result.output + result.log);
  const count = (word: string) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(result.output)?.[1]);
  assert.ok(count('pass') >= 15, result.output);
  // user-mode-linux has no cpuset.
  assert.ok(count('skipped') <= 1, result.output);
});
