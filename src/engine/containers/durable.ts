// Small files and names of a container that a power cut must not take or tear (security.md 3.4).
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from '../../linux/constants/open.ts';
import { type Call, call, number, slot, string, value } from '../../plan/call.ts';
import * as sys from '../../plan/syscalls.ts';

/** The calls that write a file: whole, and with `sync` on the disk, before it has its name. */
export function durableFile(directory: Bytes, name: Bytes, content: Bytes, sync: boolean): Call[] {
  const file = slot(`${name}_file`);
  const fresh = `${directory}/.${name}.new`;
  return [
    sys.openat(sys.AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600, { result: file }),
    sys.write(file, content, { secret: true }),
    ...(sync ? [call('fsync', [value(file)])] : []),
    sys.close(file),
    renamed(fresh, `${directory}/${name}`),
    ...(sync ? syncedDirectory(directory) : []),
  ];
}

/** rename(2). */
export function renamed(from: Bytes, to: Bytes): Call {
  return call('renameat2', [number(sys.AT_FDCWD), string(from), number(sys.AT_FDCWD), string(to), number(0)]);
}

/** fsync(2) of a directory: the names in it are on the disk. */
export function syncedDirectory(directory: Bytes): Call[] {
  const opened = slot('directory');
  return [
    sys.openat(sys.AT_FDCWD, directory, O_RDONLY | O_CLOEXEC, 0, { result: opened }),
    call('fsync', [value(opened)]),
    sys.close(opened),
  ];
}
