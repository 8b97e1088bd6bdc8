// Sources and destinations of mounts, checked as strings before the kernel sees them.

import type { Bytes } from '../../linux/bytes.ts';

/** path_resolution(7): longer paths fail with ENAMETOOLONG. */
const PATH_MAX = 4096;

/** `path` without empty and `.` components and with `..` taken back: an absolute path. */
export function cleanPath(path: Bytes): Bytes {
  const parts: Bytes[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** A host path as the caller wrote it, made absolute with the working directory `cwd`. */
export function absoluteHostPath(path: Bytes, cwd: Bytes): Bytes {
  return path.startsWith('/') ? cleanPath(path) : cleanPath(`${cwd}/${path}`);
}

/** The cleaned destination of a mount. Throws RangeError with docker's reason. */
export function destinationPath(path: Bytes): Bytes {
  if (path.includes('\0')) throw new RangeError('a path cannot hold a NUL byte');
  if (path.length >= PATH_MAX) throw new RangeError(`a path is at most ${PATH_MAX - 1} bytes long`);
  if (!path.startsWith('/'))
    throw new RangeError(`invalid mount path: '${path}' mount path must be absolute`);
  const clean = cleanPath(path);
  if (clean === '/') throw new RangeError("invalid specification: destination can't be '/'");
  return clean;
}

/** How deep a path lies: mounts are made from the top down. */
export function pathDepth(path: Bytes): number {
  return path.split('/').length;
}
