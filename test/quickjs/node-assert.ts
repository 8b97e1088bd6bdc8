// Stands in for `node:assert/strict` where there is no Node: the dozen assertions that tests of the core use.

type ErrorPattern = RegExp | (new (...args: never[]) => unknown) | ((error: unknown) => boolean) | object;

/** Thrown by every assertion here. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

function fail(message: string | Error | undefined, otherwise: string): never {
  if (message instanceof Error) throw message;
  throw new AssertionError(message === undefined ? otherwise : `${message}: ${otherwise}`);
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'undefined')
    return String(value);
  const seen = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item));
  return seen.length > 2000 ? `${seen.slice(0, 2000)}...` : seen;
}

/** Same structure, same prototypes, same primitive values by Object.is: deepStrictEqual of Node. */
export function isDeepEqual(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  if (left instanceof Map && right instanceof Map) return sameEntries([...left], [...right]);
  if (left instanceof Set && right instanceof Set) return sameEntries([...left], [...right]);
  if (left instanceof Date && right instanceof Date && left.getTime() !== right.getTime()) return false;
  if (left instanceof RegExp && String(left) !== String(right)) return false;
  if (left instanceof Error && right instanceof Error && left.message !== right.message) return false;
  return sameProperties(left, right);
}

// Order matters here and not in Node; insertion order is the same wherever a test is written sensibly.
function sameEntries(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, index) => isDeepEqual(item, right[index]));
}

function sameProperties(left: object, right: object): boolean {
  if (Array.isArray(left) && Array.isArray(right) && left.length !== right.length) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every(
    (key) => Object.hasOwn(right, key) && isDeepEqual(Reflect.get(left, key), Reflect.get(right, key)),
  );
}

function matches(error: unknown, expected: ErrorPattern): boolean {
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected !== 'function') {
    return Object.keys(expected).every((key) => matchesProperty(error, key, Reflect.get(expected, key)));
  }
  const isClass = expected === Error || expected.prototype instanceof Error;
  return isClass ? error instanceof expected : (expected as (error: unknown) => boolean)(error) === true;
}

function matchesProperty(error: unknown, key: string, wanted: unknown): boolean {
  const found: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, key) : undefined;
  return wanted instanceof RegExp && typeof found === 'string'
    ? wanted.test(found)
    : isDeepEqual(found, wanted);
}

function check(error: unknown, expected: ErrorPattern | string | undefined): void {
  if (expected === undefined || typeof expected === 'string' || matches(error, expected)) return;
  if (error instanceof Error)
    throw new AssertionError(`another error was expected: ${error.message}\n${error.stack}`);
  fail(undefined, `another error was expected: ${show(error)}`);
}

function assert(value: unknown, message?: string | Error): asserts value {
  if (!value) fail(message, `${show(value)} is not truthy`);
}

assert.ok = assert;

assert.fail = (message?: string | Error): never => fail(message, 'failed');

assert.equal = (actual: unknown, expected: unknown, message?: string | Error): void => {
  if (!Object.is(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
};

assert.notEqual = (actual: unknown, expected: unknown, message?: string | Error): void => {
  if (Object.is(actual, expected)) fail(message, `${show(actual)} was not expected`);
};

assert.deepEqual = (actual: unknown, expected: unknown, message?: string | Error): void => {
  if (!isDeepEqual(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
};

assert.notDeepEqual = (actual: unknown, expected: unknown, message?: string | Error): void => {
  if (isDeepEqual(actual, expected)) fail(message, `${show(actual)} was not expected`);
};

assert.match = (actual: string, pattern: RegExp, message?: string | Error): void => {
  if (!pattern.test(actual)) fail(message, `${show(actual)} does not match ${pattern}`);
};

assert.doesNotMatch = (actual: string, pattern: RegExp, message?: string | Error): void => {
  if (pattern.test(actual)) fail(message, `${show(actual)} matches ${pattern}`);
};

assert.throws = (body: () => unknown, expected?: ErrorPattern | string, message?: string): void => {
  try {
    body();
  } catch (error) {
    check(error, expected);
    return;
  }
  fail(message, 'nothing was thrown');
};

assert.doesNotThrow = (body: () => unknown): void => {
  body();
};

assert.rejects = async (
  body: Promise<unknown> | (() => Promise<unknown>),
  expected?: ErrorPattern | string,
  message?: string,
): Promise<void> => {
  try {
    await (typeof body === 'function' ? body() : body);
  } catch (error) {
    check(error, expected);
    return;
  }
  fail(message, 'nothing was rejected');
};

assert.strictEqual = assert.equal;
assert.notStrictEqual = assert.notEqual;
assert.deepStrictEqual = assert.deepEqual;
assert.AssertionError = AssertionError;

export default assert;
