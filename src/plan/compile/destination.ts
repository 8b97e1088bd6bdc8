// Resolving a path inside the root to a descriptor, and making what is missing on the way.
//
// No path inside a root is ever a string for mount(2): every component is made with mkdirat(2) on a held
// directory descriptor (which follows no link in its last component), and every prefix is resolved by openat2(2)
// with RESOLVE_IN_ROOT. CVE-2021-30465, CVE-2024-45310, CVE-2019-19921, CVE-2026-41579.
import { openFlags } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import {
  O_CLOEXEC,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, type Slot, slot } from '../call.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative } from './context.ts';

/** Open flags are written with the values of x86-64; the encoder translates them (arm64 differs). */
export const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');

/** How every path of a root is resolved: links stay inside, magic links are refused (openat2(2)). */
export const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/** What already exists answers EEXIST, also on a read-only file system; a read-only one that lacks it, EROFS. */
const EXISTS = { tolerate: [ERRNO.EEXIST, ERRNO.EROFS] };

/** `/proc`, `/sys` and `/dev` must be real directories of the root (security.md rule 10, T08, T09). */
const REAL_DIRECTORIES: ReadonlySet<Bytes> = new Set(['proc', 'sys', 'dev']);

export interface Resolved {
  readonly calls: Call[];
  readonly fd: Slot;
}

/** An O_PATH descriptor of the directory `path` below the root, made (with `mode`) with its parents where missing. */
export function resolveDirectory(c: Context, path: Bytes, mode = 0o755): Resolved {
  const calls: Call[] = [];
  return { calls, fd: walk(c, relative(path), calls, mode) };
}

/** The same for a file: an empty one is made where nothing is (the target of a bind mount of a file). */
export function resolveFile(c: Context, path: Bytes): Resolved {
  const name = relative(path);
  const calls: Call[] = [];
  const cut = name.lastIndexOf('/');
  const parent = walk(c, cut < 0 ? '' : name.slice(0, cut), calls);
  const fd = slot(`/${name}`);
  calls.push(
    sys.mknodat(parent, name.slice(cut + 1), S_IFREG | 0o644, 0, EXISTS),
    sys.openat2(c.root, name, O_PATH | O_CLOEXEC, IN_ROOT, { result: fd }),
  );
  return { calls, fd };
}

function walk(c: Context, name: Bytes, calls: Call[], mode = 0o755): Slot {
  if (name === '') return c.root;
  const known = c.directories.get(name);
  if (known !== undefined) return known;
  const cut = name.lastIndexOf('/');
  const last = name.slice(cut + 1);
  const parent = walk(c, cut < 0 ? '' : name.slice(0, cut), calls);
  const fd = slot(`/${name}`);
  if (last !== '..') calls.push(sys.mkdirat(parent, last, mode, EXISTS));
  const resolve = REAL_DIRECTORIES.has(name) ? IN_ROOT | RESOLVE_NO_SYMLINKS : IN_ROOT;
  calls.push(sys.openat2(c.root, name, O_PATH | O_DIRECTORY | O_CLOEXEC, resolve, { result: fd }));
  c.directories.set(name, fd);
  const directory = cut < 0 ? '' : name.slice(0, cut);
  const others = c.inside.get(directory);
  if (others === undefined) c.inside.set(directory, [name]);
  else others.push(name);
  return fd;
}

/** A mount now covers `path`: directories below it that were open are not what a lookup finds any more. */
export function covered(c: Context, path: Bytes, mounted: Slot): void {
  const name = relative(path);
  forgetInside(c, name);
  c.directories.set(name, mounted);
}

/** Whatever is known has known parents: `walk` notes them first. */
function forgetInside(c: Context, name: Bytes): void {
  const inside = c.inside.get(name);
  if (inside === undefined) return;
  c.inside.delete(name);
  for (const known of inside) {
    c.directories.delete(known);
    forgetInside(c, known);
  }
}

/** An O_PATH descriptor of what is at `path`, whatever it is; ENOENT and the like are tolerated where `optional`. */
export function lookUp(c: Context, path: Bytes, optional: boolean, fd = slot(path)): Call {
  const options = optional
    ? { result: fd, tolerate: [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.EACCES] }
    : { result: fd };
  return sys.openat2(c.root, relative(path) || '.', O_PATH | O_CLOEXEC, IN_ROOT, options);
}
