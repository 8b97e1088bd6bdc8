// Which pointer arguments the kernel writes to: slots and bytes in them are results, not inputs.
import type { Call } from './call.ts';

const WRITTEN: Readonly<Record<string, readonly number[]>> = {
  pipe2: [0],
  socketpair: [3],
  statx: [4],
  fstatfs: [1],
  statfs: [1],
  getcwd: [0],
  read: [1],
  pread64: [1],
  readlinkat: [2],
  getdents64: [1],
  recvmsg: [1],
  recvfrom: [1],
  waitid: [2, 4],
  getrandom: [0],
  fgetxattr: [2],
  flistxattr: [1],
  llistxattr: [1],
  lgetxattr: [2],
  get_mempolicy: [0, 1],
  capget: [1],
  prlimit64: [3],
  newfstatat: [2],
  fstat: [1],
};

/** Commands of ioctl(2) whose third argument the kernel fills: `_IOR` ones say so in their two highest bits. */
const IOCTL_READS = 2;

/** Numbered before there was a system to it (netdevice(7)). */
export const SIOCGIFINDEX = 0x8933;

/** The indices of the arguments of `call` that the kernel fills. clone3's `pidfd` is a pointer inside its structure. */
export function writtenArguments(call: Call): readonly number[] {
  if (call.name !== 'ioctl') return WRITTEN[call.name] ?? [];
  const command = call.args[1];
  if (command?.kind === 'number' && command.value === SIOCGIFINDEX) return [2];
  return command?.kind === 'number' && Number(command.value) >>> 30 === IOCTL_READS ? [2] : [];
}
