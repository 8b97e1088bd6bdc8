// Writes a small file of the engine's own through the worker, so that owner and mode are what a container should see.
import type { Bytes } from '../../linux/bytes.ts';
import { toArray } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, slot } from '../../plan/call.ts';
import { O_NOFOLLOW } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import type { TreeWorker } from './worker.ts';

const PIECE = 1 << 20;

/** Makes the file `name` in an open directory. Throws CaissonError `ESYSCALL`. */
export async function writeNewFile(
  worker: TreeWorker,
  directory: number,
  name: Bytes,
  content: Bytes,
  mode: number,
): Promise<void> {
  const file = slot('file', { reply: true });
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const opened = await worker.play(`make ${name}`, [
    sys.openat(directory, name, flags, 0o600, { result: file }),
  ]);
  const descriptor = opened.value(file);
  const bytes = toArray(content);
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    const put = slot('put');
    const calls: Call[] = [
      sys.write(descriptor, piece, { result: put }),
      sys.check(put, 'EQ', piece.length, ERRNO.ENOSPC),
    ];
    await worker.play(`write ${name}`, calls);
  }
  await worker.play(`finish ${name}`, [sys.fchmod(descriptor, mode), sys.close(descriptor)]);
}
