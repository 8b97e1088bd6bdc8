// The virtual machine of the harness boots and has what later tests need.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInUml, umlMissing } from './harness.ts';

const skip = umlMissing() ?? false;

test('cgroup v2 with its controllers, the modules and the environment', { skip }, async () => {
  const result = await runInUml({
    script: `
set -e
stat -f -c %T /sys/fs/cgroup
cat /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/a && cat /sys/fs/cgroup/a/pids.max
mkdir /tmp/l /tmp/u /tmp/w /tmp/m && mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w o /tmp/m
ip link add left type veth peer name right && echo veth
echo "$GREETING"
exit 7`,
    modules: ['overlay', 'veth'],
    env: { GREETING: "it's a $HOME" },
  });
  assert.equal(result.status, 7, result.output + result.log);
  const [type, controllers, ...rest] = result.output.trim().split('\n');
  assert.equal(type, 'cgroup2fs');
  assert.deepEqual(controllers?.split(' ').sort(), ['cpu', 'io', 'memory', 'pids']);
  assert.deepEqual(rest, ['max', 'veth', "it's a $HOME"]);
});

test('AppArmor is the active security module when asked for', { skip }, async () => {
  const script = 'ls -d /sys/kernel/security/apparmor/profiles && cat /proc/self/attr/apparmor/current';
  const result = await runInUml({ security: 'apparmor', script });
  assert.equal(result.status, 0, result.output + result.log);
  assert.deepEqual(result.output.trim().split('\n'), [
    '/sys/kernel/security/apparmor/profiles',
    'unconfined',
  ]);
});

test('SELinux is the active security module when asked for', { skip }, async () => {
  const script = 'grep -w selinux /sys/kernel/security/lsm && ls /sys/fs/selinux/enforce';
  const result = await runInUml({ security: 'selinux', script });
  assert.equal(result.status, 0, result.output + result.log);
});

test('a script that does not end is ended', { skip }, async () => {
  const result = await runInUml({ script: 'echo begun; sleep 100', timeout: 5 });
  assert.equal(result.timedOut, true);
  assert.equal(result.status, null);
  assert.equal(result.output, 'begun\n');
});
