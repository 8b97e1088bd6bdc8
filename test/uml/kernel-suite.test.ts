// The kernel tests of the host once more on Linux 6.1 with cgroup v2 only, in the long round.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXECUTABLE } from './checks.ts';
import { runInUml, umlMissing } from './harness.ts';

const FILES = ['mounts', 'root', 'process', 'devices', 'identity', 'seccomp', 'oom', 'lifecycle'];

/** Tests of what user-mode-linux has not, by their names. */
const NOT_THERE: ReadonlyMap<string, string> = new Map([
  ['personality', 'uname(2) of user-mode-linux knows no 32 bits'],
  ['an id-mapped bind shows mapped owners, or is refused by name', 'tmpfs has none before Linux 6.3'],
  ['CPU affinity that the caller has stays within the cpuset', 'there is no cpuset controller'],
]);

const skip = umlMissing() ?? (process.env.CAISSON_LONG === '1' ? false : 'done in the long round');

for (const file of FILES) {
  test(`kernel tests on Linux 6.1 and cgroup v2: ${file}`, { skip }, async () => {
    const result = await runInUml({
      script: `cd "$REPOSITORY" && node --test --test-reporter=tap build/test/kernel/${file}.test.js`,
      env: { REPOSITORY: process.cwd(), CAISSON: EXECUTABLE },
      modules: ['overlay', 'dummy', 'veth'],
      timeout: 400,
    });
    assert.equal(result.timedOut, false, result.output);
    const failed = [...result.output.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name = '']) => name);
    // A file fails with any of its tests.
    const unexpected = failed.filter((name) => !NOT_THERE.has(name) && !name.endsWith('.test.js'));
    assert.deepEqual(unexpected, [], result.output);
    assert.match(result.output, /^ *ok \d+ - /m, result.log);
  });
}
