// Facts about made-up hosts, for golden plans: three kernels, two processors, root and an ordinary user.
import type { Arch } from '../../src/linux/abi/index.ts';
import type { HostFacts, HostFile } from '../../src/plan/facts.ts';

/** Kernels at which plans differ: the floor, Debian 12's, and one with the whole mount API. */
export const LEVELS = { '5.15': [5, 15], '6.1': [6, 1], '6.18': [6, 18] } as const;

export type Level = keyof typeof LEVELS;

const directory: HostFile = { type: 'directory', rdev: 0 };
const file: HostFile = { type: 'file', rdev: 0 };

const FILES: readonly (readonly [string, HostFile])[] = [
  ['/', directory],
  ['/srv/data', directory],
  ['/srv/caf\xe9', directory],
  ['/etc/hosts', file],
  ['/etc/resolv.conf', file],
  ['/run/shared.sock', { type: 'socket', rdev: 0 }],
  ['/dev/null', { type: 'character', rdev: 0x103 }],
  ['/proc/acpi', directory],
  ['/proc/bus', directory],
  ['/proc/cpuinfo', file],
  ['/proc/fs', directory],
  ['/proc/irq', directory],
  ['/proc/kcore', file],
  ['/proc/keys', file],
  ['/proc/scsi', directory],
  ['/proc/sys', directory],
  ['/proc/sysrq-trigger', file],
  ['/proc/timer_list', file],
  ['/proc/version', file],
  ['/sys', directory],
  ['/sys/firmware', directory],
];

export interface HostChoice {
  readonly level?: Level;
  readonly arch?: Arch;
  readonly rootless?: boolean;
}

export function hostFacts({ level = '6.18', arch = 'x86_64', rootless = false }: HostChoice): HostFacts {
  return {
    arch,
    kernel: LEVELS[level],
    uid: rootless ? 1000 : 0,
    gid: rootless ? 1000 : 0,
    privileged: !rootless,
    initialUserNamespace: true,
    permitted: rootless ? [0, 0] : [0xffffffff, 0x1ff],
    lastCapability: 40,
    apparmor: true,
    selinux: false,
    ignoredSignals: [],
    files: new Map(FILES),
  };
}
