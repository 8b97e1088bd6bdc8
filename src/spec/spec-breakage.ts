// Breaks configurations one field at a time: for tests, of these checks and of others.

import { CaissonError } from './error.ts';
import { pointerTokens } from './pointer.ts';
import type { Spec } from './runtime-spec.ts';

/** A configuration that is about to be broken. */
export type Json = Record<string, unknown>;

/** What is there when a pointer is to be removed. */
export const ABSENT = Symbol('absent');

/** `spec` with `value` at `pointer`; objects on the way are made. */
export function change(spec: Spec, pointer: string, value: unknown): Json {
  const tokens = pointerTokens(pointer);
  const last = tokens.pop() as string;
  let at = spec as unknown as Json;
  for (const token of tokens) {
    at[token] ??= {};
    at = at[token] as Json;
  }
  if (value === ABSENT) delete at[last];
  else at[last] = value;
  return spec as unknown as Json;
}

/** The one-line EINVALIDSPEC that `run` throws; throws when it throws anything else, or nothing. */
export function refusal(run: () => unknown): CaissonError {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CaissonError) || error.code !== 'EINVALIDSPEC') throw error;
    if (error.message.includes('\n')) throw new Error(`more than one line: ${error.message}`);
    return error;
  }
  throw new Error('nothing was refused');
}

/** The pointers of every value inside `value`, itself left out. */
export function pointersIn(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, item]) =>
    pointersIn(item, `${at}/${key.replaceAll('/', '~1')}`),
  );
  return at === '' ? inner : [at, ...inner];
}
