// `caisson run` on cgroup v2: the limits that it was asked for are what the container sees.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInUml, umlMissing } from './harness.ts';

const executable = join(process.cwd(), 'dist/caisson');
const skip = umlMissing() ?? (existsSync(executable) ? false : 'dist/caisson is not built');

test('memory and process limits on cgroup v2, and nothing is left', { skip }, async () => {
  const script = `cd /
${executable} run --rm --memory 64m --pids-limit 20 host sh -c '
  cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; exit 6'
echo "status $?"
mountpoint -q /sys/fs/cgroup && find /sys/fs/cgroup/ -name cgroup.procs -exec grep -l . {} + | wc -l`;
  const result = await runInUml({ script, modules: ['overlay'] });
  const [cgroup, memory, pids, status, populated] = result.output.split('\n');
  assert.deepEqual([cgroup, memory, pids], ['0::/', String(64 << 20), '20'], result.output);
  assert.equal(status, 'status 6');
  assert.equal(populated, '1', 'only the root cgroup has processes afterwards');
});
