// One call as strace 6.1 prints it, with slots by name where strace has their numbers.

import { type Bytes, fromArray, quoteBytes } from '../linux/bytes.ts';
import { errnoName } from '../linux/errno.ts';
import { hexNumber } from '../linux/flag-table.ts';
import { formatFlags, PERMISSIONS } from '../linux/flags.ts';
import {
  type Arg,
  type Call,
  type Field,
  isSlot,
  type Memory,
  type NumberFormat,
  type OutBuffer,
  type Slot,
} from './call.ts';
import { CALL_RULES } from './call-rules.ts';
import { writtenArguments } from './kernel-writes.ts';

export interface CallTextOptions {
  /** Print the values of environment variables and secret content. */
  readonly showSecrets?: boolean;
  /** How a slot is written, `<name>` by default. */
  readonly slot?: (slot: Slot) => string;
  /** How memory that the kernel fills is written, `[name]` by default. */
  readonly out?: (buffer: OutBuffer) => string;
}

/** `openat2(<root>, "proc", {flags=O_PATH, resolve=RESOLVE_IN_ROOT}, 24) = </proc>`, and the errnos that are tolerated. */
export function printCall(call: Call, options: CallTextOptions = {}): string {
  const text = new CallText(call, options);
  return text.line() + resultText(call, text);
}

function resultText(call: Call, text: CallText): string {
  const result = call.result === undefined ? '' : ` = ${text.slot(call.result)}`;
  const others = (call.tolerate ?? []).map(errnoName).join(', ');
  return others === '' ? result : `${result} /* or ${others} */`;
}

const OPERATORS = ['==', '!=', '>='];

/** The text of one call in the making. */
export class CallText {
  readonly call: Call;
  private readonly options: CallTextOptions;

  constructor(call: Call, options: CallTextOptions) {
    this.call = call;
    this.options = options;
  }

  line(): string {
    const { name } = this.call;
    if (name === 'CHECK') return this.check();
    if (name === 'DEC') return `DEC ${this.argument(1)}`;
    if (name === 'PAUSE') return `PAUSE ${this.argument(0)}`;
    if (name === 'END') return 'END';
    const texts = CALL_RULES[name]?.(this) ?? this.args();
    return `${name === 'FORK' ? 'clone3' : name}(${texts.join(', ')})`;
  }

  private check(): string {
    const [, operator, , mask] = this.call.args;
    const masked = mask?.kind === 'number' && mask.value !== -1n && mask.value !== -1;
    const left = masked ? `(${this.argument(0)} & ${this.argument(3)})` : this.argument(0);
    const sign = OPERATORS[operator?.kind === 'number' ? Number(operator.value) : 0] ?? '==';
    return `CHECK ${left} ${sign} ${this.argument(2)} else ${this.argument(4)}`;
  }

  /** The texts of all arguments. */
  args(): string[] {
    const count = this.call.name === 'FORK' ? 2 : this.call.args.length;
    return Array.from({ length: count }, (_, index) => this.argument(index));
  }

  argument(index: number): string {
    const arg = this.call.args[index];
    return arg === undefined ? '' : this.arg(arg, writtenArguments(this.call).includes(index));
  }

  private arg(arg: Arg, written: boolean): string {
    if (arg.kind === 'number') return numberText(arg.value, arg.format);
    return arg.kind === 'slot' ? this.slot(arg) : this.memory(arg.memory, written);
  }

  slot(slot: Slot): string {
    return this.options.slot?.(slot) ?? `<${escapeText(slot.name)}>`;
  }

  memory(memory: Memory, written = false): string {
    switch (memory.kind) {
      case 'string':
        return this.quoted(memory.bytes, memory.secret);
      case 'buffer':
        if (memory.text !== undefined) return memory.text;
        return this.quoted(
          typeof memory.bytes === 'string' ? memory.bytes : fromArray(memory.bytes),
          memory.secret,
        );
      case 'out':
        return this.options.out?.(memory.buffer) ?? `[${escapeText(memory.buffer.name)}]`;
      case 'pointers':
        return memory.text ?? `[${memory.items.map((item) => this.memory(item)).join(', ')}]`;
      case 'decimal':
        return `${quoteBytes(memory.prefix).slice(0, -1)}${this.slot(memory.slot)}"`;
      case 'struct':
        return written ? this.result(memory.fields) : this.struct(memory);
    }
  }

  private quoted(bytes: Bytes, secret = false): string {
    return quoteBytes(secret && this.options.showSecrets !== true ? maskedSecret(bytes) : bytes);
  }

  private struct(memory: Memory & { kind: 'struct' }): string {
    const shown = memory.fields.filter(({ width }) => width <= 8);
    if (memory.array) return `[${shown.map((field) => this.field(field)).join(', ')}]`;
    return `{${shown.map((field) => `${field.name}=${this.field(field)}`).join(', ')}}`;
  }

  /** Of what the kernel writes, the fields that somebody reads. */
  private result(fields: readonly Field[]): string {
    const read = fields.filter(({ value }) => isSlot(value));
    return `{${[...read.map((field) => `${field.name}=${this.field(field)}`), '...'].join(', ')}}`;
  }

  field({ value, format }: Field): string {
    if (isSlot(value)) return this.slot(value);
    return typeof value === 'object' ? this.memory(value) : numberText(value, format ?? 'dec');
  }
}

/** The value of an environment variable, or all of anything else. */
export function maskedSecret(bytes: Bytes): Bytes {
  const cut = bytes.indexOf('=');
  return cut < 0 ? '***' : `${bytes.slice(0, cut)}=***`;
}

export function numberText(value: number | bigint, format: NumberFormat): string {
  if (format === 'dec') return String(value);
  if (format === 'oct') return formatFlags(value, PERMISSIONS);
  if (format !== 'hex') return formatFlags(value, format);
  return value === 0 || value === 0n ? '0' : hexNumber(value);
}

/** Names of slots are made of paths: bytes beyond ASCII and control characters as strace has them. */
export function escapeText(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u00ff\\<>]/g, (char) => `\\${char.charCodeAt(0).toString(8)}`);
}
