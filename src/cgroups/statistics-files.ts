// The formats of cgroup files: single numbers, flat keyed, nested keyed, and v1's device tables.
import type { Bytes } from '../linux/bytes.ts';
import type { Int64 } from '../spec/runtime-spec.ts';

/** A decimal number exactly: a bigint where a number would round. */
export function exactNumber(digits: string): Int64 {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** 2^64-1, what `max` reads as, as in runc. */
export const MAX: Int64 = 0xffff_ffff_ffff_ffffn;

/** The number that a file holds; `max` is 2^64-1; undefined for no file, or another content. */
export function parseNumber(text: Bytes | undefined): Int64 | undefined {
  const trimmed = text?.trim();
  if (trimmed === 'max') return MAX;
  return trimmed !== undefined && /^-?[0-9]+$/.test(trimmed) ? exactNumber(trimmed) : undefined;
}

/** `key number` lines (memory.stat, cpu.stat, memory.events); other lines are left out. */
export function parseFlatKeyed(text: Bytes | undefined): Map<Bytes, Int64> {
  const found = new Map<Bytes, Int64>();
  for (const line of (text ?? '').split('\n')) {
    const [, key, digits] = /^(\S+) ([0-9]+)$/.exec(line) ?? [];
    if (key !== undefined && digits !== undefined) found.set(key, exactNumber(digits));
  }
  return found;
}

/** `name key=value key=value` lines (io.stat, rdma.current, cpu.pressure). */
export function parseNestedKeyed(text: Bytes | undefined): Map<Bytes, Map<Bytes, Bytes>> {
  const found = new Map<Bytes, Map<Bytes, Bytes>>();
  for (const line of (text ?? '').split('\n')) {
    const [name, ...pairs] = line.split(' ');
    if (name === undefined || name === '') continue;
    const values = new Map<Bytes, Bytes>();
    for (const pair of pairs) {
      const at = pair.indexOf('=');
      if (at > 0) values.set(pair.slice(0, at), pair.slice(at + 1));
    }
    found.set(name, values);
  }
  return found;
}

/** One number of a block device. */
export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  /** `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; empty in tables without operations. */
  readonly op: Bytes;
  readonly value: Int64;
}

/** v1's `8:0 Read 4096` and `8:0 4096` lines; the sum over all devices is left out. */
export function parseBlkio(text: Bytes | undefined): BlkioEntry[] {
  const found: BlkioEntry[] = [];
  for (const line of (text ?? '').split('\n')) {
    const [, major, minor, op = '', digits] = /^(\d+):(\d+) (?:(\S+) )?(\d+)$/.exec(line) ?? [];
    if (digits === undefined) continue;
    found.push({ major: Number(major), minor: Number(minor), op, value: exactNumber(digits) });
  }
  return found;
}

/** Pressure stall information (Documentation/accounting/psi.rst): shares in per cent, totals in microseconds. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: Int64;
}

/** Undefined where the kernel has no such file. */
export function parsePressure(text: Bytes | undefined): Pressure | undefined {
  if (text === undefined || text === '') return undefined;
  const lines = parseNestedKeyed(text);
  const line = (name: Bytes): PressureLine => {
    const values = lines.get(name);
    const average = (key: Bytes) => Number(values?.get(key) ?? 0);
    return {
      avg10: average('avg10'),
      avg60: average('avg60'),
      avg300: average('avg300'),
      total: exactNumber(values?.get('total') ?? '0'),
    };
  };
  return { some: line('some'), full: line('full') };
}
