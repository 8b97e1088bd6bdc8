// pause and resume: the processes of a container stand still and go on, and what is said when they cannot.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: a paused container stands still, a resumed one goes on`, { skip }, async () => {
    const id = harness.newId();
    const script = 'while true; do echo tick; sleep 0.02; done';
    const { file } = harness.succeed(['run', '-d', '-b', harness.bundle({}, script), id]);
    await harness.untilTrue(() => statSync(file).size > 0, 'the first line');
    harness.succeed(['pause', id]);
    assert.equal(harness.stateOf(id).status, 'paused');
    const size = statSync(file).size;
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(statSync(file).size, size, 'nothing is written while it is paused');
    const again = harness.call(['pause', id]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /container not running/);
    harness.succeed(['resume', id]);
    assert.equal(harness.stateOf(id).status, 'running');
    await harness.untilTrue(() => statSync(file).size > size, 'lines after resume');
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: a created container can be paused, and is created again when it is resumed`, {
    skip,
  }, () => {
    const id = harness.newId();
    harness.succeed(['create', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    harness.succeed(['pause', id]);
    assert.equal(harness.stateOf(id).status, 'paused');
    harness.succeed(['resume', id]);
    assert.equal(harness.stateOf(id).status, 'created');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a paused container dies of KILL and can be deleted`, { skip }, async () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    harness.succeed(['pause', id]);
    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    harness.succeed(['delete', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: what cannot be paused or resumed is refused by status`, { skip }, async () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    const refused = (command: string, of: string, words: RegExp) => {
      const { code, stderr } = harness.call([command, of]);
      assert.equal(code, 1, command);
      assert.match(stderr, words);
    };
    refused('resume', id, /container not paused/);
    refused('pause', `${id}-not`, /container does not exist/);
    refused('resume', `${id}-not`, /container does not exist/);
    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    refused('pause', id, /container not running/);
    refused('resume', id, /container not paused/);
    harness.succeed(['delete', id]);
  });
}
