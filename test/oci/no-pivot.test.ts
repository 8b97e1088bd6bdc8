// --no-pivot: the procfs and sysfs of the host do not stay behind the root, where a nested namespace could profit.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CAPABILITIES, capabilities } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: --no-pivot: a user namespace inside cannot mount a bare procfs`, { skip }, () => {
    const process = { capabilities: capabilities([...CAPABILITIES, 'CAP_SETFCAP', 'CAP_SYS_ADMIN']) };
    const script = 'unshare -Urpmf sh -c "mount -t proc none /proc && echo mounted" 2>&1';
    for (const flags of [[], ['--no-pivot']]) {
      const bundle = harness.bundle(
        { process, linux: { maskedPaths: ['/proc/keys', '/proc/scsi'] } },
        script,
      );
      const ended = harness.call(['run', ...flags, '-b', bundle, harness.newId()]);
      assert.match(
        ended.stdout,
        /mount: .*permission denied/i,
        `${flags.join()} ${ended.stdout}${ended.stderr}`,
      );
      assert.doesNotMatch(ended.stdout, /mounted/);
    }
    harness.assertNothingLeft();
  });
}
