// A container that is created and not started ends by the signals that ask a process to end, as runc's does.
//
// It is PID 1 of its pid namespace, which the kernel spares from signals without a handler (pid_namespaces(7)).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** A filter that is loaded before the barrier, and knows nothing of signalfd. */
const FILTER = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['signalfd', 'signalfd4'], action: 'SCMP_ACT_ERRNO' }],
};

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  for (const [what, changes] of [
    ['no filter', {}],
    ['a filter', { linux: { seccomp: FILTER } }],
    [
      'the filter of a process that may gain privileges',
      { process: { noNewPrivileges: false }, linux: { seccomp: FILTER } },
    ],
  ] as const) {
    for (const signal of what === 'no filter' ? ['HUP', 'INT', 'QUIT', 'ABRT', 'TERM'] : ['TERM']) {
      test(`${name}: SIG${signal} ends a created container with ${what}`, { skip }, async () => {
        const id = harness.newId();
        harness.succeed(['create', '-b', harness.bundle(changes, 'sleep 100'), id]);
        harness.succeed(['kill', id, 'USR1']);
        assert.equal(harness.stateOf(id).status, 'created');
        harness.succeed(['kill', id, signal]);
        await harness.untilStatus(id, 'stopped');
        assert.notEqual(harness.call(['start', id]).code, 0);
        harness.succeed(['delete', id]);
        harness.assertNothingLeft();
      });
    }
  }

  test(`${name}: the program of a started container has an empty mask and no descriptor of the wait`, {
    skip,
  }, async () => {
    const id = harness.newId();
    const script = 'grep SigBlk /proc/self/status; ls -l /proc/self/fd; echo done; exec sleep 100';
    const { file } = harness.succeed(['create', '-b', harness.bundle({}, script), id]);
    harness.succeed(['start', id]);
    await harness.untilTrue(() => readFileSync(file, 'latin1').includes('done'), 'the output');
    const output = readFileSync(file, 'latin1');
    assert.match(output, /^SigBlk:\t0{16}$/m);
    assert.doesNotMatch(output, /signalfd|socket/);
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });
}
