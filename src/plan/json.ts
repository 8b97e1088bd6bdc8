// A plan as JSON of a stable form, for programs: docs/plan-json.md describes it.
import type { Arch } from '../linux/abi/index.ts';
import { type Bytes, bytesToUtf8, fromArray, utf8ToBytes } from '../linux/bytes.ts';
import { errnoName } from '../linux/errno.ts';
import type { Pointer } from '../spec/error.ts';
import { stringifyJson } from '../spec/json.ts';
import { type Arg, type Call, type Field, isSlot, type Memory, type Slot } from './call.ts';
import { writtenArguments } from './kernel-writes.ts';
import { sourceOf } from './print.ts';
import { maskedSecret, numberText, printCall } from './print-call.ts';
import { type Plan, readingOrder, type Step } from './step.ts';

export interface PlanJsonOptions {
  readonly arch: Arch;
  readonly showSecrets?: boolean;
  readonly sources?: ReadonlyMap<Pointer, string>;
  /** One level of indentation, '' for one line. */
  readonly indent?: string;
}

/** The version of the form; it grows when a reader of the old form would misread the new one. */
export const PLAN_JSON_VERSION = 1;

type Json = Record<string, unknown>;

/** The JSON text of a plan, as UTF-8 bytes. Numbers are exact, whatever their size; secrets are masked. */
export function planJson(plan: Plan, options: PlanJsonOptions): Bytes {
  const form = new Form(options);
  const steps = readingOrder(plan).map(({ step, section }) => form.step(step, section));
  return stringifyJson({ version: PLAN_JSON_VERSION, arch: options.arch, steps }, options.indent ?? '');
}

class Form {
  private readonly options: PlanJsonOptions;
  private readonly names = new Map<Slot, string>();
  private readonly taken = new Set<string>();

  constructor(options: PlanJsonOptions) {
    this.options = options;
  }

  step(step: Step, section: string): Json {
    const { sources } = this.options;
    return {
      id: step.id,
      actor: step.actor,
      section,
      title: text(step.title),
      provenance: step.provenance.map(text),
      sources: sources && step.provenance.map((pointer) => text(sourceOf(pointer, sources))),
      calls: step.calls.map((call) => this.call(call)),
      undo: step.undo?.map((call) => this.call(call)),
    };
  }

  private call(call: Call): Json {
    const written = writtenArguments(call);
    const { showSecrets = false } = this.options;
    return {
      name: call.name,
      args: call.args.map((arg, index) => this.arg(arg, written.includes(index))),
      result: call.result && this.slot(call.result),
      tolerate: call.tolerate?.map(errnoName),
      retry: call.retry,
      text: printCall(call, { showSecrets, slot: (slot) => `<${this.slot(slot)}>` }),
    };
  }

  /** A name that no other slot of the plan has: `tmpfs_context`, `tmpfs_context#2`. */
  private slot(slot: Slot): string {
    const known = this.names.get(slot);
    if (known !== undefined) return known;
    const base = text(slot.name);
    let name = base;
    for (let count = 2; this.taken.has(name); count++) name = `${base}#${count}`;
    this.names.set(slot, name);
    this.taken.add(name);
    return name;
  }

  private arg(arg: Arg, written: boolean): Json {
    if (arg.kind === 'number') return number(arg.value, arg.format);
    if (arg.kind === 'slot') return { slot: this.slot(arg) };
    return { ...this.memory(arg.memory), ...(written ? { written: true } : {}), length: arg.length };
  }

  private memory(memory: Memory): Json {
    switch (memory.kind) {
      case 'string':
        return { string: this.content(memory.bytes, memory.secret) };
      case 'buffer':
        return {
          bytes: this.content(
            typeof memory.bytes === 'string' ? memory.bytes : fromArray(memory.bytes),
            memory.secret,
          ),
        };
      case 'out':
        return { out: memory.buffer.name, capacity: memory.buffer.length };
      case 'pointers':
        return { pointers: memory.items.map((item) => this.memory(item)) };
      case 'decimal':
        return { decimal: text(memory.prefix), slot: this.slot(memory.slot) };
      case 'struct':
        return { struct: memory.fields.map((field) => this.field(field)) };
    }
  }

  private field({ name, width, value, format }: Field): Json {
    const content = isSlot(value)
      ? { slot: this.slot(value) }
      : typeof value === 'object'
        ? this.memory(value)
        : number(value, format ?? 'dec');
    return { name: text(name), width, ...content };
  }

  private content(bytes: Bytes, secret = false): string | Json {
    return exactText(secret && this.options.showSecrets !== true ? maskedSecret(bytes) : bytes);
  }
}

function number(value: number | bigint, format: Parameters<typeof numberText>[1]): Json {
  return format === 'dec' ? { number: value } : { number: value, text: numberText(value, format) };
}

/** For people: bytes that are not UTF-8 are U+FFFD. */
function text(bytes: Bytes): Bytes {
  return utf8ToBytes(bytesToUtf8(bytes));
}

/** For programs: bytes that are not UTF-8 are written out. */
function exactText(bytes: Bytes): string | Json {
  if (text(bytes) === bytes) return bytes;
  return { hex: Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('') };
}
