// Facts about a host for tests of the compiler: root of a machine with Linux 6.18 and no security module.
import type { HostFacts } from './facts.ts';

export const ROOT_FACTS: HostFacts = {
  arch: 'x86_64',
  kernel: [6, 18],
  uid: 0,
  gid: 0,
  privileged: true,
  initialUserNamespace: true,
  permitted: [0xffffffff, 0x1ff],
  lastCapability: 40,
  apparmor: false,
  selinux: false,
  ignoredSignals: [],
  files: new Map([
    ['/dev/null', { type: 'character', rdev: 0x103 }],
    ['/proc/kcore', { type: 'file', rdev: 0 }],
  ]),
};
