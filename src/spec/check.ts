// The walk over an untrusted document: guards that read one field each and remember where they are.
//
// No schema library: a `runc spec` configuration is checked in tens of microseconds, and a pointer is only
// made into text when something is wrong with it.

import { type Bytes, bytesToUtf8 } from '../linux/bytes.ts';
import { CaissonError, type Pointer } from './error.ts';
import { inAnotherCase, isFieldName } from './field-names.ts';
import type { JsonObject } from './json.ts';
import { pointerOf } from './pointer.ts';
import type { Int64 } from './runtime-spec.ts';

/** Something that is not wrong enough to refuse, but that its author should know. */
export interface Warning {
  readonly pointer: Pointer;
  /** One line, without the pointer. */
  readonly message: string;
}

/** An object under check. The checker owns it: it removes `null` and fills in defaults. */
export type Fields = Record<Bytes, unknown>;

/** How a text may look beyond being a string without NUL. */
export type TextRule = (text: Bytes) => string | undefined;

const UINT32_MAX = 2 ** 32 - 1;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** More problems than this are counted, not printed. */
const PROBLEMS_SHOWN = 20;

/** Collects the problems and warnings of one document. */
export class Check {
  readonly warnings: Warning[] = [];
  private readonly problems: Warning[] = [];
  private readonly at: (Bytes | number)[] = [];
  private inexact = false;

  /** Something is wrong, or an integer was met that may have lost digits in a quick parser. */
  get isDoubtful(): boolean {
    return this.inexact || this.problems.length > 0;
  }

  /** Notes a problem with `key` of the current object, or with the object itself. */
  fail(key: Bytes | number | undefined, message: string): void {
    this.problems.push({ pointer: this.pointer(key), message });
  }

  /** Notes a warning likewise. */
  warn(key: Bytes | number | undefined, message: string): void {
    this.warnings.push({ pointer: this.pointer(key), message });
  }

  private pointer(key: Bytes | number | undefined): Pointer {
    return pointerOf(key === undefined ? this.at : [...this.at, key]);
  }

  /** The value of a field; `null` is absent, as in Go, and leaves the object. */
  private get(fields: Fields, key: Bytes): unknown {
    const value = fields[key];
    if (value !== null) return value;
    delete fields[key];
    return undefined;
  }

  private wrong(key: Bytes | number, value: unknown, expected: string): undefined {
    this.fail(key, `expected ${expected}, found ${describe(value)}`);
    return undefined;
  }

  /**
   * Gives fields that are written in another case their names, as runc does; whatever else is unknown stays. Two parts
   * of one object are put together; a field that has two values is refused.
   */
  names(fields: Fields): void {
    for (const name in fields) {
      if (isFieldName(name)) continue;
      const known = inAnotherCase(name);
      if (known === undefined) continue;
      const before = fields[known];
      const value = fields[name];
      if (before !== undefined && !areApart(before, value)) {
        this.fail(name, `stands beside ${known}, and differs from it in case alone`);
        continue;
      }
      this.warn(name, `is taken for ${known}: names of fields are case-sensitive`);
      fields[known] = before === undefined ? value : Object.assign({}, before, value);
      delete fields[name];
    }
  }

  /** Fails when `key` is absent. */
  require(fields: Fields, key: Bytes): void {
    if (fields[key] === undefined || fields[key] === null) this.fail(key, 'is required');
  }

  boolean(fields: Fields, key: Bytes): boolean | undefined {
    const value = this.get(fields, key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.wrong(key, value, 'true or false');
  }

  /** A string of any bytes but NUL, which would end it early in every system call. */
  text(fields: Fields, key: Bytes, rule?: TextRule): Bytes | undefined {
    const value = this.get(fields, key);
    return value === undefined ? undefined : this.textAt(key, value, rule);
  }

  /** As text; the empty string is absent, as it is for Go's omitempty, and leaves the object. */
  textOrNothing(fields: Fields, key: Bytes, rule?: TextRule): Bytes | undefined {
    if (fields[key] === '') delete fields[key];
    return this.text(fields, key, rule);
  }

  private textAt(key: Bytes | number, value: unknown, rule: TextRule | undefined): Bytes | undefined {
    if (typeof value !== 'string') return this.wrong(key, value, 'a string');
    if (value.includes('\0')) {
      this.fail(key, 'contains a NUL byte, which no path, argument or name can');
      return undefined;
    }
    const objection = rule?.(value);
    if (objection === undefined) return value;
    this.fail(key, objection);
    return undefined;
  }

  texts(fields: Fields, key: Bytes, rule?: TextRule): readonly Bytes[] | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.wrong(key, value, 'an array of strings');
    this.at.push(key);
    let good = true;
    for (let i = 0; i < value.length; i++) good = this.textAt(i, value[i], rule) !== undefined && good;
    this.at.pop();
    return good ? (value as Bytes[]) : undefined;
  }

  /** One of `names`; `what` says what they are: `a limit that Linux has`. */
  oneOf<T extends Bytes>(fields: Fields, key: Bytes, names: readonly T[], what: string): T | undefined {
    const value = this.get(fields, key);
    return value === undefined ? undefined : this.oneOfAt(key, value, names, what);
  }

  private oneOfAt<T extends Bytes>(
    key: Bytes | number,
    value: unknown,
    names: readonly T[],
    what: string,
  ): T | undefined {
    if (typeof value !== 'string') return this.wrong(key, value, 'a string');
    if ((names as readonly Bytes[]).includes(value)) return value as T;
    this.fail(key, `${quote(value)} is not ${what}; one of ${names.join(', ')}`);
    return undefined;
  }

  someOf<T extends Bytes>(
    fields: Fields,
    key: Bytes,
    names: readonly T[],
    what: string,
  ): readonly T[] | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.wrong(key, value, 'an array of strings');
    this.at.push(key);
    let good = true;
    for (let i = 0; i < value.length; i++)
      good = this.oneOfAt(i, value[i], names, what) !== undefined && good;
    this.at.pop();
    return good ? (value as T[]) : undefined;
  }

  /** An integer in min..max that a number holds exactly. */
  integer(fields: Fields, key: Bytes, min: number, max: number): number | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    const number = this.integerAt(key, value, min, max);
    if (number !== undefined && number !== value) fields[key] = number;
    return number;
  }

  private integerAt(key: Bytes | number, value: unknown, min: number, max: number): number | undefined {
    if (typeof value !== 'number' && typeof value !== 'bigint') return this.wrong(key, value, 'an integer');
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      if (!Number.isInteger(value)) return this.wrong(key, value, 'an integer');
      this.inexact = true;
    }
    if (value >= min && value <= max) return Number(value);
    this.fail(key, `${value} is out of range; expected ${min} to ${max}`);
    return undefined;
  }

  uint32(fields: Fields, key: Bytes): number | undefined {
    return this.integer(fields, key, 0, UINT32_MAX);
  }

  uint32s(fields: Fields, key: Bytes, max: number): readonly number[] | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.wrong(key, value, 'an array of integers');
    this.at.push(key);
    for (let i = 0; i < value.length; i++) value[i] = this.integerAt(i, value[i], 0, max) ?? 0;
    this.at.pop();
    return value as number[];
  }

  /** A signed 64-bit integer, not below `min`. */
  int64(fields: Fields, key: Bytes, min: Int64 = INT64_MIN): Int64 | undefined {
    return this.wide(fields, key, min, INT64_MAX);
  }

  uint64(fields: Fields, key: Bytes): Int64 | undefined {
    return this.wide(fields, key, 0, UINT64_MAX);
  }

  private wide(fields: Fields, key: Bytes, min: Int64, max: Int64): Int64 | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    if (typeof value !== 'bigint') {
      if (typeof value !== 'number' || !Number.isInteger(value)) return this.wrong(key, value, 'an integer');
      // 1e19 has lost digits before anybody could look; 10000000000000000000 has not.
      if (!Number.isSafeInteger(value)) return this.wrong(key, value, 'an integer with all its digits');
    }
    if (value >= min && value <= max) return value;
    this.fail(key, `${value} is out of range; expected ${min} to ${max}`);
    return undefined;
  }

  /** Checks the object at `key`; undefined when there is none. */
  object(fields: Fields, key: Bytes, check: (fields: Fields, c: this) => void): Fields | undefined {
    const value = this.get(fields, key);
    return value === undefined ? undefined : this.objectAt(key, value, check);
  }

  private objectAt(
    key: Bytes | number,
    value: unknown,
    check: (fields: Fields, c: this) => void,
    isMap = false,
  ): Fields | undefined {
    if (!isObject(value)) return this.wrong(key, value, 'an object');
    this.at.push(key);
    if (!isMap) this.names(value);
    check(value, this);
    this.at.pop();
    return value;
  }

  /** Checks the objects of the array at `key`. */
  objects(
    fields: Fields,
    key: Bytes,
    check: (fields: Fields, c: this) => void,
  ): readonly Fields[] | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.wrong(key, value, 'an array of objects');
    this.at.push(key);
    let good = true;
    for (let i = 0; i < value.length; i++) good = this.objectAt(i, value[i], check) !== undefined && good;
    this.at.pop();
    return good ? (value as Fields[]) : undefined;
  }

  /** The object at `key` whose names are data: `check` reads the entry of each name. `null` entries leave it. */
  entries(
    fields: Fields,
    key: Bytes,
    check: (map: Fields, name: Bytes, c: this) => void,
  ): Fields | undefined {
    const value = this.get(fields, key);
    if (value === undefined) return undefined;
    const each = (map: Fields) => {
      for (const name of Object.keys(map)) {
        if (name.includes('\0')) this.fail(name, 'the name contains a NUL byte');
        else check(map, name, this);
      }
    };
    return this.objectAt(key, value, each, true);
  }

  /** Throws what was found: the first problem is the message, all are details and provenance. */
  finish(source: string): void {
    const first = this.problems[0];
    if (first === undefined) return;
    const lines = this.problems
      .slice(0, PROBLEMS_SHOWN)
      .map((problem) => `${source}: ${problem.pointer || '/'}: ${problem.message}`);
    const others = this.problems.length - 1;
    const more = others === 0 ? '' : ` (and ${others} more problem${others === 1 ? '' : 's'})`;
    throw new CaissonError(`${lines[0]}${more}`, {
      code: 'EINVALIDSPEC',
      provenance: this.problems.map((problem) => problem.pointer),
      details: lines.slice(1),
    });
  }
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Fields & JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Two objects of which no field is in both. */
function areApart(one: unknown, other: unknown): boolean {
  return isObject(one) && isObject(other) && Object.keys(other).every((key) => one[key] === undefined);
}

/** A byte string for a person: text in quotes, cut at 80 characters. */
export function quote(bytes: Bytes): string {
  const text = bytesToUtf8(bytes.slice(0, 400));
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${quote(value)}`;
  if (Array.isArray(value)) return 'an array';
  if (value === undefined) return 'nothing';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
