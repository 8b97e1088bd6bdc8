// Policies for AppArmor and SELinux can be loaded in the machine, and processes get their labels.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peersMissing } from '../peers/harness.ts';
import { runInUml, umlMissing } from './harness.ts';
import { loadApparmor, loadSelinux, selinuxPolicy } from './policies.ts';

const skip = umlMissing() ?? peersMissing() ?? false;

test('an AppArmor profile confines a process', { skip }, async () => {
  const profile = 'profile caisson-test flags=(attach_disconnected) { file, deny /tmp/secret r, }';
  const script = `set -e
${loadApparmor(profile)}
echo hidden >/tmp/secret
printf 'exec caisson-test' >/proc/self/attr/apparmor/exec
exec sh -c 'cat /proc/self/attr/apparmor/current; cat /tmp/secret'`;
  const result = await runInUml({ security: 'apparmor', script });
  assert.match(result.output, /^caisson-test \(enforce\)\n.*Permission denied/, result.log);
  assert.equal(result.status, 1);
});

test('an SELinux policy is loaded and a process gets its context', { skip }, async () => {
  // dash's echo writes the newline by a second write(2), which takes the label back: hence printf.
  const script = `set -e
${loadSelinux(selinuxPolicy())}
cat /proc/self/attr/current | tr -d '\\0'; echo
if (echo bogus:x:y >/proc/self/attr/exec) 2>/dev/null; then echo accepted; else echo refused; fi
printf %s system_u:system_r:container_t:s0:c1 >/proc/self/attr/exec
exec cat /proc/self/attr/current`;
  const result = await runInUml({ security: 'selinux', script });
  assert.equal(result.status, 0, result.output + result.log);
  const lines = result.output.replaceAll('\0', '').split('\n');
  const wanted = ['system_u:system_r:base_t:s0-s0:c0.c2', 'refused', 'system_u:system_r:container_t:s0:c1'];
  assert.deepEqual(lines, wanted);
});
