// The default seccomp profile: an allow-list, everything else fails with EPERM.

import type { Arch as NativeArch } from '../linux/abi/index.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Arch, LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from '../spec/runtime-spec.ts';
import { ALLOWED, ALLOWED_32_BIT, ALLOWED_BY_ARCH, ALLOWED_BY_CAPABILITY } from './allowed-syscalls.ts';

/** Arguments that the kernel takes as int or unsigned int: the high half is ignored there, so it must be here. */
const INT = 0xffffffff;

// clone(2): NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. clone cannot make a time namespace.
const CLONE_NAMESPACES = 0x7e020000;

// personality(2): PER_LINUX32 and UNAME26 change what uname says, and nothing else.
const HARMLESS_PERSONALITIES = 0x20008;
const READ_PERSONALITY = 0xffffffff;

/** What the profile is made for beyond the architecture. */
export interface DefaultProfileOptions {
  /**
   * Cover the 32-bit ABI of the machine (i386 and x32, or arm) so that such programs run. Off, because these
   * are rarely tested doors to the kernel; off means that a 32-bit program is killed at its first call.
   * On i386 AF_ALG and AF_VSOCK are then reachable, through socketcall(2), whose arguments a filter cannot see.
   */
  readonly foreignAbis?: boolean;
}

/**
 * The profile for a container whose bounding set is `capabilities` (`CAP_*` names), in the semantics of
 * Docker's: EPERM by default, ENOSYS for clone3 so that C libraries fall back to clone, no new namespaces
 * without CAP_SYS_ADMIN. Stricter than Docker's where a 32-bit argument is compared in 64 bits there.
 */
export function defaultProfile(
  arch: NativeArch,
  capabilities: readonly string[],
  options: DefaultProfileOptions = {},
): LinuxSeccomp {
  const names = new Set([...ALLOWED, ...ALLOWED_BY_ARCH[arch]]);
  if (options.foreignAbis) for (const name of ALLOWED_32_BIT) names.add(name);
  for (const capability of capabilities) {
    const added = Object.hasOwn(ALLOWED_BY_CAPABILITY, capability)
      ? ALLOWED_BY_CAPABILITY[capability]
      : undefined;
    for (const name of added ?? []) names.add(name);
  }
  const isAdmin = capabilities.includes('CAP_SYS_ADMIN');
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ERRNO.EPERM,
    architectures: architectures(arch, options.foreignAbis === true),
    syscalls: [
      { names: [...names], action: 'SCMP_ACT_ALLOW' },
      ...SOCKETS.map((arg) => allow('socket', arg)),
      allow('personality', {
        index: 0,
        op: 'SCMP_CMP_MASKED_EQ',
        value: INT - HARMLESS_PERSONALITIES,
        valueTwo: 0,
      }),
      allow('personality', { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: INT, valueTwo: READ_PERSONALITY }),
      ...(isAdmin ? [] : NO_NEW_NAMESPACES),
    ],
  };
}

const NO_NEW_NAMESPACES: readonly LinuxSyscall[] = [
  allow('clone', { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: CLONE_NAMESPACES, valueTwo: 0 }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ERRNO.ENOSYS },
];

/**
 * socket(2) families but AF_ALG (38: kernel crypto, page-cache writes of CVE-2026-31431) and AF_VSOCK (40: the
 * hypervisor, which has no namespace): the numbers 0 to 63 but these two as blocks of a power of two.
 * Comparisons with "less" and "greater" would let 2^32 + 38 through, which the kernel takes for 38.
 */
const SOCKETS: readonly LinuxSeccompArg[] = [
  family(0, 32),
  family(32, 4),
  family(36, 2),
  family(39, 1),
  family(41, 1),
  family(42, 2),
  family(44, 4),
  family(48, 16),
];

function family(first: number, count: number): LinuxSeccompArg {
  return { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: INT - (count - 1), valueTwo: first };
}

function allow(name: string, arg: LinuxSeccompArg): LinuxSyscall {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [arg] };
}

function architectures(arch: NativeArch, foreign: boolean): readonly Arch[] {
  if (arch === 'x86_64')
    return foreign ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] : ['SCMP_ARCH_X86_64'];
  return foreign ? ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'] : ['SCMP_ARCH_AARCH64'];
}
