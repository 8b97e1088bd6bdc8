// The architectures of a filter: what AUDIT_ARCH they have, how their calls are numbered and multiplexed.

import * as arm from '../linux/abi/arm.ts';
import { type Arch as NativeArch, syscallNumbers } from '../linux/abi/index.ts';
import * as x32 from '../linux/abi/x32.ts';
import * as x86 from '../linux/abi/x86.ts';
import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_ARM,
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
} from '../linux/constants/seccomp.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { Arch, LinuxSeccomp } from '../spec/runtime-spec.ts';

/** How one architecture calls the kernel. */
export interface Abi {
  readonly name: Arch;
  readonly audit: number;
  /** Numbers by name; x32's carry X32_SYSCALL_BIT. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Whether arguments are compared in all 64 bits. libseccomp compares the low half on 32-bit ABIs, x32 included. */
  readonly wide: boolean;
  /** The calls that socketcall(2) and ipc(2) carry: the multiplexer and its first argument. */
  readonly multiplexed?: ReadonlyMap<string, readonly [nr: number, call: number]>;
}

// Numbers of uapi/linux/net.h (SYS_*) and uapi/linux/ipc.h.
const SOCKETCALLS: readonly string[] = [
  'socket',
  'bind',
  'connect',
  'listen',
  'accept',
  'getsockname',
  'getpeername',
  'socketpair',
  'send',
  'recv',
  'sendto',
  'recvfrom',
  'shutdown',
  'setsockopt',
  'getsockopt',
  'sendmsg',
  'recvmsg',
  'accept4',
  'recvmmsg',
  'sendmmsg',
];
const IPC_CALLS: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

function i386(): Abi {
  const numbers = x86.syscalls();
  const calls = new Map<string, readonly [number, number]>();
  for (const [at, name] of SOCKETCALLS.entries()) calls.set(name, [numbers.socketcall, at + 1]);
  for (const [name, call] of Object.entries(IPC_CALLS)) calls.set(name, [numbers.ipc, call]);
  return { ...abi('SCMP_ARCH_X86', AUDIT_ARCH_I386, numbers, false), multiplexed: calls };
}

const ABIS: Partial<Record<Arch, () => Abi>> = {
  SCMP_ARCH_X86_64: () => abi('SCMP_ARCH_X86_64', AUDIT_ARCH_X86_64, syscallNumbers('x86_64'), true),
  SCMP_ARCH_X32: () => abi('SCMP_ARCH_X32', AUDIT_ARCH_X86_64, x32.syscalls(), false),
  SCMP_ARCH_X86: i386,
  SCMP_ARCH_AARCH64: () => abi('SCMP_ARCH_AARCH64', AUDIT_ARCH_AARCH64, syscallNumbers('aarch64'), true),
  SCMP_ARCH_ARM: () => abi('SCMP_ARCH_ARM', AUDIT_ARCH_ARM, arm.syscalls(), false),
};

function abi(name: Arch, audit: number, numbers: Readonly<Record<string, number>>, wide: boolean): Abi {
  return { name, audit, numbers, wide };
}

const NATIVE: Readonly<Record<NativeArch, Arch>> = {
  x86_64: 'SCMP_ARCH_X86_64',
  aarch64: 'SCMP_ARCH_AARCH64',
};

/** Named by the specification, but no kernel that caisson runs on executes them: listing them changes nothing. */
const NEVER_EXECUTED: ReadonlySet<string> = new Set<Arch>([
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
]);

const built = new Map<Arch, Abi>();

function abiOf(name: Arch): Abi | undefined {
  let found = built.get(name);
  if (found === undefined) {
    found = Object.hasOwn(ABIS, name) ? ABIS[name]?.() : undefined;
    if (found !== undefined) built.set(name, found);
  }
  return found;
}

/**
 * The architectures that a profile covers, the native one first: it is always covered, as in libseccomp.
 * Throws CaissonError EINVALIDSPEC for a name that the specification has not.
 */
export function coveredAbis(seccomp: LinuxSeccomp, native: NativeArch, pointer: Pointer): readonly Abi[] {
  const names = new Set<Arch>([NATIVE[native]]);
  for (const [at, name] of (seccomp.architectures ?? []).entries()) {
    if (abiOf(name) !== undefined) {
      names.add(name);
    } else if (!NEVER_EXECUTED.has(name)) {
      throw new CaissonError(`seccomp architecture "${name}" is unknown: use a SCMP_ARCH_* name`, {
        code: 'EINVALIDSPEC',
        provenance: [`${pointer}/architectures/${at}`],
      });
    }
  }
  return [...names].map((name) => abiOf(name) as Abi);
}
