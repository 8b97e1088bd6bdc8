// Many containers at once: created and running from one loop, then deleted, and nothing is left (bench/ has the times).
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const CONTAINERS = process.env.CAISSON_LONG === '1' ? 500 : 60;

for (const runtime of RUNTIMES.filter(({ name }) => name === 'caisson-oci')) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: ${CONTAINERS} containers at once`, { skip }, () => {
    const ids = Array.from({ length: CONTAINERS }, () => harness.newId());
    for (const id of ids) {
      harness.succeed(['create', '--bundle', harness.bundle({}, 'exec sleep 1000'), id]);
      harness.succeed(['start', id]);
    }
    const listed = harness.succeed(['list', '--format', 'json']).stdout;
    const running = (JSON.parse(listed) as { status: string }[]).filter(({ status }) => status === 'running');
    assert.equal(running.length, CONTAINERS);
    for (const id of ids) harness.succeed(['delete', '--force', id]);
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });
}
