// docker's rules for `cp`: what an argument names, and where a copy goes. Pure.
//
// docs.docker.com/reference/cli/docker/container/cp: what matters is whether source and destination are directories,
// whether the destination is there, and whether a path ends with `/` or `/.`.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

/** A path as it was typed. */
export interface PathArgument {
  readonly text: Bytes;
  /** Absolute, without `.`, `..` and double slashes. */
  readonly path: Bytes;
  /** It ends with `/`, or its last part is `.`: it must be a directory. */
  readonly wantsDirectory: boolean;
  /** Its last part is `.`: what is in the directory is meant, and not the directory. */
  readonly contents: boolean;
}

/** One side of `cp`. */
export type Side =
  | { readonly kind: 'stream' }
  | { readonly kind: 'host'; readonly path: Bytes }
  | { readonly kind: 'container'; readonly container: Bytes; readonly path: Bytes };

/** `CONTAINER:PATH`, a path of the host, or `-` for an archive. A host path with a colon begins with `/` or `.`. */
export function parseSide(text: Bytes): Side {
  if (text === '-') return { kind: 'stream' };
  const colon = text.indexOf(':');
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { kind: 'host', path: text };
  return { kind: 'container', container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** `base` is what a relative path begins with: `/` in a container. */
export function pathArgument(text: Bytes, base: Bytes): PathArgument {
  const contents = text === '.' || text.endsWith('/.');
  return {
    text,
    path: cleanPath(text.startsWith('/') ? text : `${base}/${text}`),
    wantsDirectory: contents || text.endsWith('/'),
    contents,
  };
}

/** Go's path.Clean of an absolute path. */
function cleanPath(path: Bytes): Bytes {
  const parts: Bytes[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The last part of a path; `/` is called that. */
export function baseName(path: Bytes): Bytes {
  return path === '/' ? '/' : path.slice(path.lastIndexOf('/') + 1);
}

/** What is copied. */
export interface CopySource {
  readonly isDirectory: boolean;
  readonly contents: boolean;
  readonly name: Bytes;
}

/** What is there where it shall go. */
export interface CopyDestination {
  readonly exists: boolean;
  readonly isDirectory: boolean;
  readonly wantsDirectory: boolean;
  /** Links followed. */
  readonly path: Bytes;
  readonly parent: Bytes;
  readonly name: Bytes;
}

/** The directory to unpack in, and the name that the top of the copy gets there; `.`: it becomes that directory. */
export interface Placement {
  readonly directory: Bytes;
  readonly name: Bytes;
}

/** Throws CaissonError in docker's words where the copy makes no sense. */
export function placementOf(source: CopySource, destination: CopyDestination): Placement {
  const { exists, isDirectory, wantsDirectory, path, parent, name } = destination;
  if (exists && isDirectory) {
    const inside = source.isDirectory && source.contents;
    return { directory: path, name: inside || source.name === '/' ? '.' : source.name };
  }
  if (exists && wantsDirectory) throw refusedCopy('not a directory');
  if (exists && source.isDirectory) throw refusedCopy('cannot copy directory');
  if (!exists && wantsDirectory && !source.isDirectory) throw refusedCopy('no such directory');
  return { directory: parent, name };
}

export function refusedCopy(message: string): CaissonError {
  return new CaissonError(message, { code: 'EUSAGE', exitCode: 1 });
}
