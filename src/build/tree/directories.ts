// Makes a directory with those above it inside a tree; links on the way are followed, inside of it.
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, type Slot, slot } from '../../plan/call.ts';
import { IN_ROOT, O_DIRECTORY } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import type { TreeWorker } from './worker.ts';

/** Ids of a file. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const FLAGS = O_PATH | O_DIRECTORY | O_CLOEXEC;

/**
 * The directory `path` (from the root of the tree), open; what was missing is made with `mode` and belongs to `owner`.
 * Throws CaissonError `ESYSCALL` (ENOTDIR: something on the way is no directory).
 */
export async function makeDirectories(
  worker: TreeWorker,
  root: number,
  path: Bytes,
  mode: number,
  owner: Owner,
): Promise<number> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const made: Slot[] = [];
  const opened: Slot[] = [];
  const calls: Call[] = [];
  for (const [index, part] of parts.entries()) {
    const below = slot(`below ${index}`, { reply: true });
    const there = slot(`made ${index}`, { reply: true });
    calls.push(
      sys.mkdirat(opened.at(-1) ?? root, part, mode, { result: there, tolerate: [ERRNO.EEXIST] }),
      sys.openat2(root, parts.slice(0, index + 1).join('/'), FLAGS, IN_ROOT, { result: below }),
    );
    made.push(there);
    opened.push(below);
  }
  if (parts.length === 0) {
    const same = slot('root', { reply: true });
    const reply = await worker.play('open the root', [
      sys.openat2(root, '.', FLAGS, IN_ROOT, { result: same }),
    ]);
    return reply.value(same);
  }
  const reply = await worker.play(`make the directory ${path}`, calls);
  const descriptors = opened.map((each) => reply.value(each));
  const changes = made.flatMap((each, index) => {
    if (reply.value(each) !== 0 || (owner.uid === 0 && owner.gid === 0)) return [];
    const above = index === 0 ? root : (descriptors[index - 1] as number);
    return worker.rights.owners.kind === 'keep'
      ? [sys.fchownat(above, parts[index] as Bytes, owner.uid, owner.gid, 0x100)]
      : [];
  });
  if (changes.length > 0) await worker.play(`give ${path} to its owner`, changes);
  await worker.shut(...descriptors.slice(0, -1));
  return descriptors.at(-1) as number;
}
