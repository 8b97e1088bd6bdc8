// A file system of its own, detached until it is moved onto a descriptor (fsopen(2), fsmount(2), move_mount(2)).
import type { Bytes } from '../../linux/bytes.ts';
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
} from '../../linux/constants/mount.ts';
import { type Call, type Slot, slot } from '../call.ts';
import * as sys from '../syscalls.ts';

/** move_mount(2) from one descriptor onto another: no path is looked up. */
export const ONTO = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

/** fsopen, options, fsmount: a detached file system, behind `mounted`. */
export function detachedFileSystem(
  type: Bytes,
  source: Bytes,
  data: readonly Bytes[],
  attributes: number,
  mounted: Slot,
): Call[] {
  const context = slot(`${type}_context`);
  const calls: Call[] = [sys.fsopen(type, FSOPEN_CLOEXEC, { result: context })];
  if (source !== '') calls.push(sys.fsconfigString(context, 'source', source));
  for (const option of data) {
    const cut = option.indexOf('=');
    calls.push(
      cut < 0
        ? sys.fsconfigFlag(context, option)
        : sys.fsconfigString(context, option.slice(0, cut), option.slice(cut + 1)),
    );
  }
  calls.push(
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, attributes, { result: mounted }),
    sys.close(context),
  );
  return calls;
}
