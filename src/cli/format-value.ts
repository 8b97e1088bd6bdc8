// Values of Go templates: how they are printed, compared and looked into.
import type { Bytes } from '../linux/bytes.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';

/** What a template sees. */
export type Value = JsonValue;

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of a map; inherited ones are none (the names are an image's: `__proto__`, `constructor`). */
export function member(map: JsonObject, name: Bytes): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Names in byte order, as Go walks a map. */
export function sortedNames(map: JsonObject): Bytes[] {
  return Object.keys(map).sort((a, b) => (a < b ? -1 : 1));
}

/** As fmt.Print has it: `[a b]`, `map[a:1 b:2]`, `<no value>`. */
export function printValue(value: Value): Bytes {
  if (value === null) return '<no value>';
  if (isList(value)) return `[${value.map(printValue).join(' ')}]`;
  if (isMap(value))
    return `map[${sortedNames(value)
      .map((name) => `${name}:${printValue(member(value, name) ?? null)}`)
      .join(' ')}]`;
  return String(value);
}

/** text/template: false, 0, nil and what is empty. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** -1, 0, 1 for two numbers or two strings; undefined for what has no order. */
export function compareValues(a: Value, b: Value): number | undefined {
  const numbers = isNumber(a) && isNumber(b);
  if (!numbers && !(typeof a === 'string' && typeof b === 'string')) return undefined;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function areEqual(a: Value, b: Value): boolean {
  return isNumber(a) && isNumber(b) ? compareValues(a, b) === 0 : a === b;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
