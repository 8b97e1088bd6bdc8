// The CPUs that the first process may run on.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, test } from 'node:test';
import { Harness, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const last = availableParallelism() - 1;

test('the process starts on the CPUs that were asked for', { skip }, () => {
  const script = 'grep Cpus_allowed_list /proc/self/status';
  const args = ['run', '--cpu-affinity', String(last), '--rootfs', harness.rootfs, '/bin/sh', '-c', script];
  const { stdout, stderr } = harness.caisson(args);
  assert.equal(stderr, '');
  assert.equal(stdout.replace(/\s+/, ' ').trim(), `Cpus_allowed_list: ${last}`);
});
