// The mode of a tmpfs that the configuration gives none: that of the directory which it covers, as runc and crun do.
//
// `--tmpfs /run` is then 0755 where the image has it so, and the kernel's 1777 where it has no such directory, which is
// why the missing one is made with that mode.
import { MOUNT_ATTR_RDONLY } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, O_CLOEXEC, O_RDONLY, STATX_MODE } from '../../linux/constants/open.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, number, pointer, type Slot, slot, string, struct, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import { O_DIRECTORY } from './destination.ts';

/** Of a directory that is made for a tmpfs. */
export const TMPFS_MODE = 0o1777;

/** Looks at the directory `below`, before anything is mounted on it. */
export function lookAtMode(below: Slot, mode: Slot): Call {
  // struct statx, 256 bytes; stx_mode is 16 bits wide, followed by 16 of padding.
  const found = struct(
    { name: 'before', width: 0x1c, value: 0 },
    { name: 'stx_mode', width: 4, value: mode },
    { name: 'after', width: 0xe0, value: 0 },
  );
  return call('statx', [
    value(below),
    string(''),
    number(AT_EMPTY_PATH, F.STATX_FLAGS),
    number(STATX_MODE, F.STATX_MASK),
    pointer(found, 'fixed'),
  ]);
}

/** Gives the detached, writable tmpfs `mounted` that mode, then the MOUNT_ATTR_RDONLY of `attributes`. */
export function takeMode(mounted: Slot, mode: Slot, attributes: number): Call[] {
  const top = slot(`top of ${mounted.name}`);
  const calls = [
    sys.openat(mounted, '.', O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: top }),
    call('fchmod', [value(top), value(mode)]),
    sys.close(top),
  ];
  if ((attributes & MOUNT_ATTR_RDONLY) !== 0) {
    const readonly = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
    calls.push(sys.mountSetattr(mounted, '', AT_EMPTY_PATH, readonly));
  }
  return calls;
}
