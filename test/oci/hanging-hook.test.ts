// A hook that hangs holds up its command alone: a signal still reaches the container, and `delete --force` takes it away.
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

  for (const kind of [
    'prestart',
    'createRuntime',
    'createContainer',
    'startContainer',
    'poststart',
  ] as const) {
    for (const attached of kind === 'poststart' ? [true] : [true, false]) {
      const command = attached ? 'run' : kind === 'startContainer' ? 'start' : 'create';
      test(`${name}: delete --force does not wait for a ${kind} hook of ${command}`, { skip }, async () => {
        const id = harness.newId();
        const seconds = `${attached ? 50 : 51}.${process.pid}`;
        const hook = { path: '/bin/sh', args: ['sh', '-c', `sleep ${seconds}; true`] };
        const bundle = harness.bundle({ hooks: { [kind]: [hook] } }, 'sleep 100');
        if (command === 'start') harness.succeed(['create', '-b', bundle, id]);
        const words = command === 'start' ? [command, id] : [command, '-b', bundle, id];
        const begun = harness.start(['oci', ...words]);
        await harness.untilTrue(() => processesNamed(`sleep\0${seconds}`).length > 0, 'the hook');
        const before = Date.now();
        harness.succeed(['delete', '--force', id]);
        assert.ok(Date.now() - before < 8000, `${Date.now() - before} ms`);
        assert.notEqual((await begun.end()).code, 0);
        assert.deepEqual(processesNamed(`sleep\0${seconds}`), []);
        assert.equal(harness.call(['state', id]).code, 1);
        harness.assertNothingLeft();
      });
    }
  }

  test(`${name}: delete --force does not wait for a command that is stopped`, { skip }, async () => {
    const id = harness.newId();
    const seconds = `60.${process.pid}`;
    const hook = { path: '/bin/sleep', args: ['sleep', seconds] };
    const bundle = harness.bundle({ hooks: { createRuntime: [hook] } }, 'sleep 100');
    const begun = harness.start(['oci', 'create', '-b', bundle, id]);
    await harness.untilTrue(() => processesNamed(seconds).length > 0, 'the hook');
    begun.kill('SIGSTOP');
    harness.succeed(['delete', '--force', id]);
    begun.kill('SIGCONT');
    assert.notEqual((await begun.end()).code, 0);
    harness.assertNothingLeft();
  });
}
