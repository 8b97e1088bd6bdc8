// Checks of `hooks` (config.md, POSIX-platform Hooks).

import type { Check, Fields } from './check.ts';
import { absolutePathRule } from './text-rules.ts';

/** The life cycle's hooks in the order in which they run. */
export const HOOK_NAMES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

/** Checks all lists of hooks. */
export function checkHooks(hooks: Fields, c: Check): void {
  for (const name of HOOK_NAMES) c.objects(hooks, name, checkHook);
}

function checkHook(hook: Fields, c: Check): void {
  c.require(hook, 'path');
  c.text(hook, 'path', absolutePathRule);
  c.texts(hook, 'args');
  c.texts(hook, 'env');
  c.integer(hook, 'timeout', 1, 2 ** 31 - 1);
}
