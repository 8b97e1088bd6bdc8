// Where the state of running containers is kept: `--runtime-root`, or the user's own place.

import type { Bytes } from '../linux/bytes.ts';
import { defaultStateRoot } from '../runtime/state.ts';
import type { Context } from './context.ts';

/** An absolute path. */
export function stateRoot({ globals, port }: Pick<Context, 'globals' | 'port'>): Bytes {
  const given = globals.runtimeRoot;
  if (given === undefined) return defaultStateRoot(port);
  return given.startsWith('/') ? given : `${port.cwd}/${given}`;
}
