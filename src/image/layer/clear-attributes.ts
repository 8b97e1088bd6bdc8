// Removes extended attributes of directories that a later layer describes anew.
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import type { TarEntry } from '../tar.ts';
import { isPortable } from './attributes.ts';
import { tolerating } from './batch-writer.ts';
import { type Conversation, slotOf } from './conversation.ts';
import type { TreeCalls } from './tree-calls.ts';

/** A directory as a layer describes it. */
export interface Described {
  readonly path: Bytes;
  readonly entry: TarEntry;
}

const DIRECTORY = 1;
const AT_ONCE = 200;
const ROOM = 1024;
/** XATTR_LIST_MAX of <linux/limits.h>. */
const MOST = 65536;
const GONE = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP);
const CLOSED = tolerating(ERRNO.EBADF);
const NO_NAMES = tolerating(ERRNO.EBADF, ERRNO.EOPNOTSUPP, ERRNO.ERANGE);
const NOT_THERE = tolerating(ERRNO.EBADF, ERRNO.ENODATA);

/** Takes the attributes away that an archive may set and these entries do not have. */
export async function clearDirectoryAttributes(
  conversation: Conversation,
  root: number,
  calls: TreeCalls,
  described: readonly Described[],
  room = ROOM,
): Promise<void> {
  const again: Described[] = [];
  for (let at = 0; at < described.length; at += AT_ONCE) {
    const some = described.slice(at, at + AT_ONCE);
    calls.reset();
    const places = some.map(({ path }) => {
      const [length, buffer] = [calls.reserve(8), calls.reserve(room)];
      open(calls, root, path);
      calls.flistxattr(~DIRECTORY, buffer, room, { result: length >> 3, tolerate: NO_NAMES });
      calls.close(~DIRECTORY, { tolerate: CLOSED });
      return [length, buffer] as const;
    });
    const data = await conversation.ask(calls);
    calls.reset();
    for (const [index, one] of some.entries()) {
      const [lengthAt, buffer] = places[index] as readonly [number, number];
      const length = slotOf(data, lengthAt >> 3);
      if (length === -ERRNO.ERANGE && room < MOST) again.push(one);
      else if (length > 0) remove(calls, root, one, fromArray(data, buffer, buffer + length).split('\0'));
    }
    if (calls.records > 0) await conversation.ask(calls);
    calls.reset();
  }
  for (const one of again) await clearDirectoryAttributes(conversation, root, calls, [one], MOST);
}

function open(calls: TreeCalls, root: number, path: Bytes): void {
  const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
  calls.about(`finish /${path}`);
  calls.openat2(root, path === '' ? '.' : path, flags, IN_ROOT, { result: DIRECTORY, tolerate: GONE });
}

function remove(calls: TreeCalls, root: number, { path, entry }: Described, names: readonly Bytes[]): void {
  const wrong = names.filter((name) => isPortable(name) && !entry.xattrs.has(name));
  if (wrong.length === 0) return;
  open(calls, root, path);
  for (const name of wrong) calls.fremovexattr(~DIRECTORY, name, { tolerate: NOT_THERE });
  calls.close(~DIRECTORY, { tolerate: CLOSED });
}
