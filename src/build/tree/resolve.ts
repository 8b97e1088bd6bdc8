// Names inside a tree: which file a path leads to when links are followed, all inside the tree.
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { call, number, outBuffer, pointer, slot, string } from '../../plan/call.ts';
import { IN_ROOT, O_DIRECTORY, O_NOFOLLOW } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import { parseStatx, STATX_SIZE, type TreeEntry } from './entry.ts';
import { STRICT, statxOf } from './walk.ts';
import type { TreeWorker } from './worker.ts';

/** As the kernel: more links on one way are a loop (path_resolution(7)). */
const MOST_LINKS = 40;
const ABSENT = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP];

/** `a/../b` and links taken out of a path below `top`; undefined when nothing is there. The result has no `/` in front. */
export async function realPath(worker: TreeWorker, top: number, path: Bytes): Promise<Bytes | undefined> {
  const left = partsOf(path).reverse();
  const done: Bytes[] = [];
  let links = 0;
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === '..') {
      done.pop();
      continue;
    }
    const found = await look(worker, top, [...done, part].join('/'));
    if (found === undefined) return undefined;
    if (found.type !== 'symlink') {
      done.push(part);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    if (found.target.startsWith('/')) done.length = 0;
    left.push(...partsOf(found.target).reverse());
  }
  return done.join('/');
}

function partsOf(path: Bytes): Bytes[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** What is at a path without links on the way (below `top`), its last part not followed; undefined for nothing. */
export async function look(worker: TreeWorker, top: number, path: Bytes): Promise<TreeEntry | undefined> {
  const file = slot('file', { reply: true });
  const stat = outBuffer('stat', STATX_SIZE);
  const target = outBuffer('target', 4096);
  const length = slot('target length', { reply: true });
  const unopened = { tolerate: [ERRNO.EBADF] };
  const reply = await worker.play(`look at ${path}`, [
    sys.openat2(top, path === '' ? '.' : path, O_PATH | O_NOFOLLOW | O_CLOEXEC, STRICT, {
      result: file,
      tolerate: ABSENT,
    }),
    statxOf(file, '', AT_SYMLINK_NOFOLLOW, stat, unopened),
    call('readlinkat', [file, string(''), pointer({ kind: 'out', buffer: target }, 3), number(4096)], {
      result: length,
      // Not a link.
      tolerate: [ERRNO.EBADF, ERRNO.EINVAL, ERRNO.ENOENT],
    }),
    sys.close(file, unopened),
  ]);
  if (reply.value(file) < 0) return undefined;
  const entry = parseStatx(reply.array(stat), path);
  const count = reply.value(length);
  return count > 0 ? { ...entry, target: fromArray(reply.array(target, count)) } : entry;
}

/** What a path leads to, links followed inside of the tree; undefined for nothing. */
export async function follow(worker: TreeWorker, top: number, path: Bytes): Promise<TreeEntry | undefined> {
  const file = slot('file', { reply: true });
  const stat = outBuffer('stat', STATX_SIZE);
  const unopened = { tolerate: [ERRNO.EBADF] };
  const name = path.replace(/^\/+/, '');
  const reply = await worker.play(`look at ${path}`, [
    sys.openat2(top, name === '' ? '.' : name, O_PATH | O_CLOEXEC, IN_ROOT, {
      result: file,
      tolerate: ABSENT,
    }),
    statxOf(file, '', 0, stat, unopened),
    sys.close(file, unopened),
  ]);
  return reply.value(file) < 0 ? undefined : parseStatx(reply.array(stat), path);
}

/** Opens the directory at a path without links. Throws CaissonError `ESYSCALL` when it is none. */
export async function openBelow(worker: TreeWorker, top: number, path: Bytes): Promise<number> {
  const directory = slot('directory', { reply: true });
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const reply = await worker.play(`open /${path}`, [
    sys.openat2(top, path === '' ? '.' : path, flags, STRICT, { result: directory }),
  ]);
  return reply.value(directory);
}
