// The life of a container by runc's commands: create, state, start, kill, delete, run, and what each says.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: create, start, kill, delete`, { skip }, async () => {
    const bundle = harness.bundle({ annotations: { z: '1', a: '<b>' } }, 'echo started; exec sleep 1000');
    const pidFile = `${harness.directory}/pid`;
    const id = harness.newId();
    const { file } = harness.succeed(['create', '--bundle', bundle, '--pid-file', pidFile, id]);

    const created = harness.stateOf(id);
    assert.equal(created.status, 'created');
    assert.equal(created.pid, Number(readFileSync(pidFile, 'utf8')));
    assert.equal(created.bundle, bundle);
    assert.equal(created.rootfs, harness.rootfs);
    assert.equal(created.ociVersion, '1.3.0');
    assert.match(created.created, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    assert.deepEqual(created.annotations, { a: '<b>', z: '1' });
    assert.equal(readFileSync(file, 'utf8'), '', 'the program waits for start');
    assert.ok(existsSync(`/proc/${created.pid}`));

    harness.succeed(['start', id]);
    assert.equal(harness.stateOf(id).status, 'running');
    await harness.untilTrue(() => readFileSync(file, 'utf8') === 'started\n', 'the output of the program');

    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    assert.equal(harness.stateOf(id).pid, 0);

    harness.succeed(['delete', id]);
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  test(`${name}: run: the exit code is the program's, and nothing is left`, { skip }, () => {
    for (const [script, code] of [
      ['true', 0],
      ['exit 42', 42],
      ['kill -KILL $$', 137],
    ] as const) {
      const bundle = harness.bundle({ linux: { namespaces: [{ type: 'mount' }] } }, script);
      assert.equal(harness.call(['run', '--bundle', bundle, harness.newId()]).code, code, script);
    }
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  test(`${name}: run --detach lives on without its command`, { skip }, async () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    assert.equal(harness.stateOf(id).status, 'running');
    const { code, stderr } = harness.call(['delete', id]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`cannot delete container ${id} that is not stopped: running`));
    harness.succeed(['delete', '--force', id]);
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });
}
