// Typed constructors of the system calls that only cgroups need (the others are in src/plan/syscalls.ts).
import * as BPF from '../linux/constants/bpf.ts';
import { enumTable, SIGNALS } from '../linux/flags.ts';
import {
  type Call,
  type CallOptions,
  call,
  type Memory,
  memoryLength,
  NULL,
  number,
  type OutBuffer,
  pointer,
  type Slot,
  value,
} from '../plan/call.ts';
import type { Fd } from '../plan/syscalls.ts';

const BPF_COMMANDS = enumTable('bpf', () => ({
  BPF_PROG_LOAD: BPF.BPF_PROG_LOAD,
  BPF_PROG_ATTACH: BPF.BPF_PROG_ATTACH,
  BPF_PROG_DETACH: BPF.BPF_PROG_DETACH,
  BPF_PROG_GET_FD_BY_ID: BPF.BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_QUERY: BPF.BPF_PROG_QUERY,
}));

/** bpf(2); `attributes` is union bpf_attr as far as it is filled. */
export const bpf = (command: number, attributes: Memory, options?: CallOptions): Call =>
  call(
    'bpf',
    [number(command, BPF_COMMANDS), pointer(attributes, 2), number(memoryLength(attributes))],
    options,
  );

/** ppoll(2) without a signal mask: with `wait` false it looks and returns, else it waits without end. */
export const ppoll = (fds: Memory, count: number, wait: boolean, options?: CallOptions): Call => {
  const none: Memory = {
    kind: 'struct',
    fields: [
      { name: 'tv_sec', width: 8, value: 0 },
      { name: 'tv_nsec', width: 8, value: 0 },
    ],
  };
  const timeout = wait ? NULL : pointer(none, 'fixed');
  return call('ppoll', [pointer(fds, 'fixed'), number(count), timeout, NULL, number(8)], options);
};

/** read(2) into a structure whose fields are slots, so that CHECK can look at them. */
export const readFields = (from: Fd, fields: Memory, options?: CallOptions): Call =>
  call('read', [value(from), pointer(fields, 2), number(memoryLength(fields))], options);

/** write(2) of what an earlier read put into `buffer`, as long as that read says. */
export const writeBuffer = (to: Fd, buffer: OutBuffer, length: Slot, options?: CallOptions): Call =>
  call('write', [value(to), pointer({ kind: 'out', buffer }, 2), value(length)], options);

export const getdents64 = (directory: Fd, buffer: OutBuffer, options?: CallOptions): Call =>
  call('getdents64', [value(directory), pointer({ kind: 'out', buffer }, 2), number(buffer.length)], options);

export const pidfdOpen = (pid: number, options?: CallOptions): Call =>
  call('pidfd_open', [number(pid), number(0)], options);

export const pidfdSendSignal = (process: Fd, signal: number, options?: CallOptions): Call =>
  call('pidfd_send_signal', [value(process), number(signal, SIGNALS), NULL, number(0)], options);
