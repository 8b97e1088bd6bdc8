// A hook that hangs in `start` holds up `start` alone: a signal still reaches the container.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { processesNamed } from '../fault/traces.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: kill does not wait for a startContainer hook`, { skip }, async () => {
    const id = harness.newId();
    const seconds = `20.${process.pid}`;
    const hook = { path: '/bin/sleep', args: ['sleep', seconds] };
    harness.succeed(['create', '-b', harness.bundle({ hooks: { startContainer: [hook] } }, 'true'), id]);
    const starting = harness.start(['oci', 'start', id]);
    await harness.untilTrue(() => processesNamed(seconds).length > 0, 'the hook');
    const before = Date.now();
    harness.succeed(['kill', id, 'KILL']);
    assert.ok(Date.now() - before < 10_000);
    // The hook is in the namespace of the process that has died: start ends, and takes the container away.
    assert.equal((await starting.end()).code, 1);
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });
}
