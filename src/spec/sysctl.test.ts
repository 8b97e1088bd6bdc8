// Tests of sysctl keys: both spellings, their namespaces, and what would leave /proc/sys.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sysctlNamespace, sysctlPath } from './sysctl.ts';

test('sysctl: dots or slashes, whichever comes first is the separator', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
    ['net/ipv4/ip_forward', 'net/ipv4/ip_forward'],
    ['net.ipv4.conf.eno2/100.rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
    ['net/ipv4/conf/eno2.100/rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
    ['kernel.shm_rmid_forced', 'kernel/shm_rmid_forced'],
    ['kernel', undefined],
    ['', undefined],
    ['.kernel.sem', undefined],
    ['/kernel/sem', undefined],
    ['net..ipv4', undefined],
    ['net/../kernel/core_pattern', undefined],
    ['net.//.kernel.core_pattern', undefined],
    ['net./.kernel', undefined],
    ['net/./ipv4', undefined],
    ['net.ipv4.', undefined],
    ['kernel.sem=1', undefined],
    ['kernel.sem kernel.x', undefined],
    ['kernel.sem\nkernel.x', undefined],
    [`net.${'a'.repeat(300)}`, undefined],
  ];
  for (const [key, path] of cases) assert.equal(sysctlPath(key), path, key);
});

test('sysctl: only what a namespace owns has a namespace', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['kernel/msgmax', 'ipc'],
    ['kernel/sem', 'ipc'],
    ['fs/mqueue/msg_max', 'ipc'],
    ['net/core/somaxconn', 'network'],
    ['user/max_user_namespaces', 'user'],
    ['kernel/domainname', 'uts'],
    ['kernel/core_pattern', undefined],
    ['kernel/semx', undefined],
    ['network/x', undefined],
    ['vm/overcommit_memory', undefined],
    ['fs/file-max', undefined],
  ];
  for (const [path, namespace] of cases) assert.equal(sysctlNamespace(path), namespace, path);
});
