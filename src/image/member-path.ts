// Names of archive members, cut into components that each are one plain name for the *at() calls.
import type { Bytes } from '../linux/bytes.ts';
import { NAME_MAX } from '../linux/constants/filesystem.ts';
import { CaissonError } from '../spec/error.ts';

/**
 * `/a//./b/` as `a/b`, and the root itself as ``. A leading slash is dropped, as tar(1) and docker do. `..` is refused:
 * no archive of a root has it, and lexical removal would not be what the kernel makes of it behind a link.
 */
export function memberPath(name: Bytes): Bytes {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    if (part === '..') throw refused(name, 'has `..` in its name');
    if (part.length > NAME_MAX)
      throw refused(name, `has a name of ${part.length} bytes, more than the kernel takes`);
  }
  return parts.join('/');
}

/** `a/b` as `a` and `b`; the parent of a top-level name is the root, ``. */
export function splitPath(path: Bytes): { readonly parent: Bytes; readonly name: Bytes } {
  const cut = path.lastIndexOf('/');
  return { parent: cut < 0 ? '' : path.slice(0, cut), name: path.slice(cut + 1) };
}

/** The error for a member that is not unpacked. */
export function refused(name: Bytes, why: string): CaissonError {
  const shown = name.length > 100 ? `${name.slice(0, 100)}...` : name;
  return new CaissonError(`tar archive: ${shown} ${why}`, { code: 'EARCHIVE' });
}
