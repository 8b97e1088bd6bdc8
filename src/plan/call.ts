// A call is one system call (or pseudo-operation of the player) with symbolic, printable arguments.
import type { SyscallName } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { FlagTable } from '../linux/flags.ts';

/** The player's own operations (docs/plan.md): what a straight line of system calls cannot say. */
export type PseudoName = 'FORK' | 'CHECK' | 'DEC' | 'PAUSE' | 'END';

/** Where the result of a call is kept, to be an argument of later calls or a part of the answer. */
export interface Slot {
  readonly kind: 'slot';
  readonly name: string;
  /** Bytes: 8, or 4 where the slot lives inside a structure of 32-bit fields (pollfd). */
  readonly width: 4 | 8;
  /** Whether TypeScript reads it from the answer. */
  readonly reply: boolean;
}

/** Memory that the kernel fills, of a fixed length in bytes. */
export interface OutBuffer {
  readonly name: string;
  readonly length: number;
  readonly reply: boolean;
}

/** How a number is printed: decimal, octal, hexadecimal, or as flags of a table. */
export type NumberFormat = 'dec' | 'oct' | 'hex' | FlagTable;

/** One field of a structure in memory, `width` bytes wide: 1, 2, 4 or 8; any width where the value is 0. */
export interface Field {
  readonly name: string;
  readonly width: number;
  readonly value: number | bigint | Slot | Memory;
  readonly format?: NumberFormat;
}

/** What a pointer argument points to. Every kind has a known length. */
export type Memory =
  | { readonly kind: 'string'; readonly bytes: Bytes; readonly secret?: boolean }
  | {
      readonly kind: 'buffer';
      readonly bytes: Bytes | Uint8Array;
      readonly secret?: boolean;
      readonly text?: string;
    }
  | { readonly kind: 'out'; readonly buffer: OutBuffer }
  | { readonly kind: 'struct'; readonly fields: readonly Field[]; readonly array?: boolean }
  | { readonly kind: 'pointers'; readonly items: readonly Memory[]; readonly text?: string }
  /** Text that ends in a number known only at play time, written there by DEC: `/proc/1234`. */
  | { readonly kind: 'decimal'; readonly prefix: Bytes; readonly slot: Slot };

export type Arg =
  | { readonly kind: 'number'; readonly value: number | bigint; readonly format: NumberFormat }
  | Slot
  | { readonly kind: 'memory'; readonly memory: Memory; readonly length: Length };

/** How the kernel learns the length of a pointer argument: it ends itself, the kernel knows, or argument N says. */
export type Length = 'terminated' | 'fixed' | number;

export interface Call {
  readonly name: SyscallName | PseudoName;
  readonly args: readonly Arg[];
  readonly result?: Slot;
  /** Errnos after which the plan goes on; the result is then the negative errno. At most four. */
  readonly tolerate?: readonly number[];
  /** Repeated (bounded) at EINTR and EAGAIN. */
  readonly retry?: boolean;
  /** No argument points to a place for results: the encoder need not look. */
  readonly plain?: true;
  /** Words of its record but for its number: each after its index, counted from the first argument's (fixed-call.ts). */
  readonly fixed?: readonly number[];
}

/** Modifiers that every call takes. */
export interface CallOptions {
  readonly result?: Slot;
  readonly tolerate?: readonly number[];
  readonly retry?: boolean;
}

export function slot(name: string, options: { width?: 4 | 8; reply?: boolean } = {}): Slot {
  return { kind: 'slot', name, width: options.width ?? 8, reply: options.reply ?? false };
}

export function outBuffer(name: string, length: number, reply = true): OutBuffer {
  return { name, length, reply };
}

export function isSlot(value: number | bigint | Slot | Memory | undefined): value is Slot {
  return typeof value === 'object' && value.kind === 'slot';
}

const ZERO: Arg = { kind: 'number', value: 0, format: 'dec' };

export function number(value: number | bigint, format: NumberFormat = 'dec'): Arg {
  return value === 0 && format === 'dec' ? ZERO : { kind: 'number', value, format };
}

/** A value known now, or the result of an earlier call. */
export function value(from: number | bigint | Slot, format: NumberFormat = 'dec'): Arg {
  return typeof from === 'object' ? from : number(from, format);
}

export function pointer(memory: Memory, length: Length): Arg {
  return { kind: 'memory', memory, length };
}

/** A NUL-terminated string. */
export function string(bytes: Bytes, secret = false): Arg {
  return { kind: 'memory', memory: { kind: 'string', bytes, secret }, length: 'terminated' };
}

export const NULL: Arg = {
  kind: 'number',
  value: 0,
  format: { name: 'pointer', values: () => ({}), zero: 'NULL' },
};

export function struct(...fields: Field[]): Memory {
  return { kind: 'struct', fields };
}

/** The bytes of a memory, padding included; for `out` the capacity. */
export function memoryLength(memory: Memory): number {
  switch (memory.kind) {
    case 'string':
      return memory.bytes.length + 1;
    case 'buffer':
      return memory.bytes.length;
    case 'out':
      return memory.buffer.length;
    case 'struct':
      return memory.fields.reduce((sum, field) => sum + field.width, 0);
    case 'pointers':
      return 8 * (memory.items.length + 1);
    case 'decimal':
      return memory.prefix.length + DECIMAL_ROOM;
  }
}

/** Room for the decimal text of a 64-bit number and its NUL. */
export const DECIMAL_ROOM = 24;

export function call(name: Call['name'], args: readonly Arg[], options?: CallOptions): Call {
  return options === undefined ? { name, args } : modified({ name, args }, options);
}

/** A call whose pointers are to text and constants alone. */
export function plain(name: Call['name'], args: readonly Arg[], options?: CallOptions): Call {
  const made = { name, args, plain: true } as const;
  return options === undefined ? made : modified(made, options);
}

function modified(made: { -readonly [K in keyof Call]: Call[K] }, options: CallOptions): Call {
  const { result, tolerate, retry } = options;
  if (result !== undefined) made.result = result;
  if (tolerate !== undefined) made.tolerate = tolerate;
  if (retry === true) made.retry = true;
  return made;
}
