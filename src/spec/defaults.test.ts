// Tests that the example configurations are what runc 1.1.5 prints, byte for byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from './defaults.ts';
import { stringifyJson } from './json.ts';

/** `runc spec`, without its white space. */
const RUNC_SPEC =
  '{"ociVersion":"1.0.2-dev","process":{"terminal":true,"user":{"uid":0,"gid":0},"args":["sh"],' +
  '"env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=xterm"],' +
  '"cwd":"/","capabilities":{"bounding":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],' +
  '"effective":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"permitted":["CAP_AUDIT_WRITE",' +
  '"CAP_KILL","CAP_NET_BIND_SERVICE"],"ambient":["CAP_AUDIT_WRITE","CAP_KILL",' +
  '"CAP_NET_BIND_SERVICE"]},"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],' +
  '"noNewPrivileges":true},"root":{"path":"rootfs","readonly":true},"hostname":"runc",' +
  '"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev",' +
  '"type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]},' +
  '{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["nosuid","noexec",' +
  '"newinstance","ptmxmode=0666","mode=0620","gid=5"]},{"destination":"/dev/shm","type":"tmpfs",' +
  '"source":"shm","options":["nosuid","noexec","nodev","mode=1777","size=65536k"]},' +
  '{"destination":"/dev/mqueue","type":"mqueue","source":"mqueue","options":["nosuid","noexec",' +
  '"nodev"]},{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec",' +
  '"nodev","ro"]},{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup",' +
  '"options":["nosuid","noexec","nodev","relatime","ro"]}],' +
  '"linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}]},"namespaces":[{"type":"pid"},' +
  '{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}],"maskedPaths":["/proc/acpi",' +
  '"/proc/asound","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list",' +
  '"/proc/timer_stats","/proc/sched_debug","/sys/firmware","/proc/scsi"],' +
  '"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}';

/** `runc spec --rootless` of root, likewise. */
const RUNC_SPEC_ROOTLESS =
  '{"ociVersion":"1.0.2-dev","process":{"terminal":true,"user":{"uid":0,"gid":0},"args":["sh"],' +
  '"env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=xterm"],' +
  '"cwd":"/","capabilities":{"bounding":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],' +
  '"effective":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"permitted":["CAP_AUDIT_WRITE",' +
  '"CAP_KILL","CAP_NET_BIND_SERVICE"],"ambient":["CAP_AUDIT_WRITE","CAP_KILL",' +
  '"CAP_NET_BIND_SERVICE"]},"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],' +
  '"noNewPrivileges":true},"root":{"path":"rootfs","readonly":true},"hostname":"runc",' +
  '"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev",' +
  '"type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]},' +
  '{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["nosuid","noexec",' +
  '"newinstance","ptmxmode=0666","mode=0620"]},{"destination":"/dev/shm","type":"tmpfs",' +
  '"source":"shm","options":["nosuid","noexec","nodev","mode=1777","size=65536k"]},' +
  '{"destination":"/dev/mqueue","type":"mqueue","source":"mqueue","options":["nosuid","noexec",' +
  '"nodev"]},{"destination":"/sys","type":"none","source":"/sys","options":["rbind","nosuid",' +
  '"noexec","nodev","ro"]},{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup",' +
  '"options":["nosuid","noexec","nodev","relatime","ro"]}],"linux":{"uidMappings":[{"containerID":0,' +
  '"hostID":0,"size":1}],"gidMappings":[{"containerID":0,"hostID":0,"size":1}],' +
  '"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"user"}],' +
  '"maskedPaths":["/proc/acpi","/proc/asound","/proc/kcore","/proc/keys","/proc/latency_stats",' +
  '"/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/sys/firmware","/proc/scsi"],' +
  '"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}';

test('defaults: the example is what runc spec prints', () => {
  assert.equal(stringifyJson(exampleSpec()), RUNC_SPEC);
  assert.equal(stringifyJson(exampleSpec({ uid: 0, gid: 0 })), RUNC_SPEC_ROOTLESS);
});

test('defaults: rootless maps the caller to 0, and every call makes a new object', () => {
  const { linux } = exampleSpec({ uid: 1000, gid: 100 });
  assert.deepEqual(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.deepEqual(linux?.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
  const one = exampleSpec();
  (one.linux?.maskedPaths as string[] | undefined)?.push('/x');
  assert.equal(stringifyJson(exampleSpec()), RUNC_SPEC);
});
