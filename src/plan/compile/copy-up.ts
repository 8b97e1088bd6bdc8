// `tmpcopyup`: a tmpfs that begins with what the image has at its place (runc's option, docker's --tmpfs ...:tmpcopyup).
//
// A straight line of calls cannot copy a tree, and need not: an overlay whose lower layer is the directory and whose
// upper layer is the tmpfs shows the same, and copies a file when it is first changed.
import type { Bytes } from '../../linux/bytes.ts';
import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../../linux/constants/mount.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, type Memory, number, pointer, type Slot, slot, string, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { O_DIRECTORY } from './destination.ts';
import { ONTO } from './file-system.ts';
import { labelOptions } from './mount-label.ts';

/** `mode=1777` of the options, as the upper layer's mode; the kernel's default for a tmpfs is 1777. */
function modeOf(data: readonly Bytes[]): number {
  const option = data.find((word) => word.startsWith('mode='));
  return option === undefined ? 0o1777 : Number.parseInt(option.slice(5), 8);
}

/**
 * Calls after the tmpfs has been attached over `below`: layers inside it, and the overlay over both, in `mounted`.
 * `below` still is the directory of the image, because it was opened before. Changes the current directory.
 */
export function copyUp(
  c: Context,
  below: Slot,
  tmpfs: Slot,
  data: readonly Bytes[],
  attributes: number,
  mounted: Slot,
): Call[] {
  const upper = slot(`upper of ${mounted.name}`);
  const context = slot(`overlay of ${mounted.name}`);
  const lower: Memory & { kind: 'decimal' } = { kind: 'decimal', prefix: '/proc/self/fd/', slot: below };
  const calls = [
    sys.mkdirat(tmpfs, 'work', 0o700),
    sys.mkdirat(tmpfs, 'upper', modeOf(data)),
    sys.openat(tmpfs, 'upper', O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: upper }),
    sys.fchdir(upper),
    sys.dec(below, lower),
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'tmpfs'),
  ];
  if (c.inUserNamespace) calls.push(sys.fsconfigFlag(context, 'userxattr'));
  return [
    ...calls,
    call('fsconfig', [
      value(context),
      number(1, F.FSCONFIG_COMMANDS),
      string('lowerdir'),
      pointer(lower, 'terminated'),
      number(0),
    ]),
    sys.fsconfigString(context, 'upperdir', '.'),
    sys.fsconfigString(context, 'workdir', '../work'),
    ...labelOptions(c, 'overlay', data).map((option) =>
      sys.fsconfigString(context, 'context', option.slice('context='.length)),
    ),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, attributes, { result: mounted }),
    sys.close(context),
    sys.moveMount(mounted, tmpfs, ONTO),
  ];
}
