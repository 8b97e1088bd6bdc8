// A start that fails and leaves something that cannot be taken away: both are told, and a later clean-up succeeds.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** Fails, and leaves a cgroup below the container's own that rmdir(2) refuses (EBUSY) while something is mounted on it. */
const SCRIPT = [
  "line=$(grep '^0::' /proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/cgroup)",
  'for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do',
  'at=$mount${line#0::}; test -e $at/cgroup.procs || continue',
  'mkdir $at/busy && mount --bind $at/busy $at/busy',
  'done; echo the reason >&2; exit 7',
].join('\n');

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  for (const command of ['create', 'run']) {
    test(`${name}: a cgroup that stays busy does not hide why ${command} has failed`, { skip }, () => {
      const id = harness.newId();
      const hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', SCRIPT] }] };
      const bundle = harness.bundle({ hooks }, 'true');
      // Its mounts end with the command.
      const { code, stderr } = harness.call([command, '-b', bundle, id], { prefix: ['unshare', '-m'] });
      assert.equal(code, 1);
      assert.match(stderr, /level=error.*createRuntime hook #0: exit status 7.*the reason/);
      assert.match(stderr, /level=warning.*cgroup .* is busy/);
      assert.deepEqual(readdirSync(harness.state), [id]);
      harness.succeed(['delete', '--force', id]);
      harness.assertNothingLeft();
    });
  }
}
