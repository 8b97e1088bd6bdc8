// JSON pointers (RFC 6901): how a field of a configuration is named in messages and provenance.

import type { Bytes } from '../linux/bytes.ts';
import type { Pointer } from './error.ts';

/** One reference token, escaped: `~` as `~0`, `/` as `~1` (RFC 6901, section 3). */
export function escapePointer(token: Bytes): Pointer {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The token that `escaped` stands for; `~1` before `~0`, so that `~01` is `~1` (RFC 6901, section 4). */
export function unescapePointer(escaped: Pointer): Bytes {
  return escaped.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** The pointer of these tokens; no tokens are the whole document, ''. */
export function pointerOf(tokens: readonly (Bytes | number)[]): Pointer {
  let pointer = '';
  for (const token of tokens) pointer += `/${typeof token === 'number' ? token : escapePointer(token)}`;
  return pointer;
}

/** The tokens of a pointer. Throws RangeError when it is neither empty nor begins with a slash. */
export function pointerTokens(pointer: Pointer): Bytes[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new RangeError(`not a JSON pointer: ${pointer}`);
  return pointer.slice(1).split('/').map(unescapePointer);
}

/** The value at `pointer` inside `value`, or undefined where there is none. Own properties only. */
export function lookupPointer(value: unknown, pointer: Pointer): unknown {
  let at = value;
  for (const token of pointerTokens(pointer)) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (Array.isArray(at) && !/^(?:0|[1-9][0-9]*)$/.test(token)) return undefined;
    const own: PropertyDescriptor | undefined = Object.getOwnPropertyDescriptor(at, token);
    if (own === undefined) return undefined;
    at = own.value;
  }
  return at;
}
