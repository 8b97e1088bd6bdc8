// Bytes that the kernel reads from or writes to a pointer whose length no argument says.
import type { Call } from '../call.ts';

const NUMBER = 4;

/** By call and argument; checked against the kernel's headers by the constants test where they have a name. */
const SIZES: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  capset: { 0: 8, 1: 24 },
  capget: { 0: 8, 1: 24 },
  fstatfs: { 1: 120 },
  newfstatat: { 2: 144 },
  fstat: { 1: 144 },
  pipe2: { 0: 8 },
  prlimit64: { 2: 16, 3: 16 },
  recvmsg: { 1: 56 },
  rt_sigaction: { 1: 32, 2: 32 },
  sched_setattr: { 1: 48 },
  seccomp: { 2: 16 },
  sendmsg: { 1: 56 },
  socketpair: { 3: 8 },
  statx: { 4: 256 },
  utimensat: { 2: 32 },
  waitid: { 2: 128, 4: 144 },
  ppoll: { 2: 16 },
};

/** Structures of ioctl(2): the command has the size in bits 16..29, but the old terminal ones do not. */
const TERMINAL: Readonly<Record<number, number>> = { 21507: 60, 21523: 8, 21524: 8 };

/** The size, or undefined where it is not known: verify then objects. */
export function kernelSize(call: Call, index: number): number | undefined {
  const number = (at: number) => {
    const arg = call.args[at];
    return arg?.kind === 'number' ? Number(arg.value) : undefined;
  };
  if (call.name === 'ppoll' && index === 0) return 8 * (number(1) ?? 0);
  if (call.name === 'setgroups') return NUMBER * (number(0) ?? 0);
  if (call.name === 'set_mempolicy') return 8 * Math.ceil(((number(2) ?? 1) - 1) / 64);
  if (call.name === 'ioctl') {
    const command = number(1) ?? 0;
    return TERMINAL[command] ?? (command >>> 16) & 0x3fff;
  }
  return SIZES[call.name]?.[index];
}
