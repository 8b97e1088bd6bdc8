// Lists a directory through the launcher: getdents64(2), as many names as there are.
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Place, tolerating } from './batch-writer.ts';
import { type Conversation, slotOf } from './conversation.ts';
import type { TreeCalls } from './tree-calls.ts';

/** One name. The type is DT_* of readdir(3), which some file systems leave unknown. */
export interface Listed {
  readonly name: Bytes;
  readonly type: number;
}

export const DT_UNKNOWN = 0;
export const DT_DIR = 4;

const ROOM = 32 << 10;
const READS = 2;
const FILE = 1;
const COUNT = 2;
const UNOPENED = tolerating(ERRNO.EBADF);

/**
 * All names but `.` and `..`, in the order of the file system. `open` writes the call that opens the directory into the
 * slot that it is given; where it tolerates a failure the result is undefined.
 */
export async function listDirectory(
  conversation: Conversation,
  calls: TreeCalls,
  open: (calls: TreeCalls, slot: number) => void,
): Promise<Listed[] | undefined> {
  const found: Listed[] = [];
  let cookie: readonly [number, number] = [0, 0];
  for (;;) {
    calls.reset();
    const buffers = Array.from({ length: READS }, () => calls.reserve(ROOM));
    open(calls, FILE);
    const directory: Place = ~FILE;
    if (cookie[0] !== 0 || cookie[1] !== 0) calls.seekDirectory(directory, cookie);
    for (const [index, buffer] of buffers.entries())
      calls.getdents64(directory, buffer, ROOM, { result: COUNT + index, tolerate: UNOPENED });
    calls.close(directory, { tolerate: UNOPENED });
    const data = await conversation.ask(calls);
    if (slotOf(data, FILE) < 0) return undefined;
    let length = 0;
    for (const [index, buffer] of buffers.entries()) {
      length = slotOf(data, COUNT + index);
      if (length > 0) cookie = parseEntries(data, buffer, length, found);
    }
    if (length <= 0) return found;
  }
}

/** struct linux_dirent64: d_off at 8, d_reclen at 16, d_type at 18, d_name at 19. Answers the last d_off, as two words. */
function parseEntries(
  data: Uint8Array,
  start: number,
  length: number,
  into: Listed[],
): readonly [number, number] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let cookie: readonly [number, number] = [0, 0];
  for (let at = start; at < start + length; at += view.getUint16(at + 16, true)) {
    cookie = [view.getInt32(at + 8, true), view.getInt32(at + 12, true)];
    const name = fromArray(data, at + 19, data.indexOf(0, at + 19));
    if (name !== '.' && name !== '..') into.push({ name, type: data[at + 18] as number });
  }
  return cookie;
}
