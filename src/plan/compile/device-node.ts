// One device node by mknod(2), and the proof that a node of the image that is there already is the one that was asked for.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  STATX_TYPE,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import type { LinuxDevice, Spec } from '../../spec/runtime-spec.ts';
import { type Call, call, number, pointer, type Slot, slot, string, struct, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import { relative } from './context.ts';
import { O_NOFOLLOW } from './destination.ts';

/** makedev(3) in the kernel's 32-bit encoding. */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** Whether the device lies in a tmpfs that this plan has mounted, in which there is nothing yet. */
function isInNewTmpfs(spec: Spec, path: Bytes): boolean {
  const name = relative(path);
  // A mount at the very path has made it: engines bind the host's nodes where they may not make any.
  const below = (spec.mounts ?? []).filter(({ destination }) =>
    `${name}/`.startsWith(`${relative(destination)}/`),
  );
  return below.length > 0 && below.every(({ type }) => type === 'tmpfs');
}

/** The umask is 0 by now, so that modes are as given. */
export function makeNode(spec: Spec, directory: Slot, base: Bytes, device: LinuxDevice): Call[] {
  const type = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO }[device.type];
  const [major, minor] = device.type === 'p' ? [0, 0] : [device.major ?? 0, device.minor ?? 0];
  const isNew = isInNewTmpfs(spec, device.path);
  const options = isNew ? {} : { tolerate: [ERRNO.EEXIST] };
  const calls = [
    sys.mknodat(directory, base, type | (device.fileMode ?? 0o666), makedev(major, minor), options),
  ];
  if (!isNew) calls.push(...proveNode(directory, base, type, major, minor));
  if ((device.uid ?? 0) !== 0 || (device.gid ?? 0) !== 0) {
    calls.push(sys.fchownat(directory, base, device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW));
  }
  return calls;
}

/** An image that has brought another file by this name is refused: programs would trust it (CVE-2025-31133). */
function proveNode(directory: Slot, base: Bytes, type: number, major: number, minor: number): Call[] {
  const node = slot(`node_${base}`);
  const [mode, haveMajor, haveMinor] = ['mode', 'major', 'minor'].map((part) =>
    slot(`${base}_${part}`, { width: 4 }),
  );
  if (mode === undefined || haveMajor === undefined || haveMinor === undefined) return [];
  // struct statx, 256 bytes; stx_mode is 16 bits wide, followed by 16 of padding.
  const found = struct(
    { name: 'before', width: 0x1c, value: 0 },
    { name: 'stx_mode', width: 4, value: mode },
    { name: 'between', width: 0x60, value: 0 },
    { name: 'stx_rdev_major', width: 4, value: haveMajor },
    { name: 'stx_rdev_minor', width: 4, value: haveMinor },
    { name: 'after', width: 0x78, value: 0 },
  );
  return [
    sys.openat(directory, base, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, { result: node }),
    call('statx', [
      value(node),
      string(''),
      number(AT_EMPTY_PATH, F.STATX_FLAGS),
      number(STATX_TYPE, F.STATX_MASK),
      pointer(found, 'fixed'),
    ]),
    sys.check(mode, 'EQ', type, ERRNO.EEXIST, { mask: BigInt(S_IFMT) }),
    sys.check(haveMajor, 'EQ', major, ERRNO.EEXIST),
    sys.check(haveMinor, 'EQ', minor, ERRNO.EEXIST),
    sys.close(node),
  ];
}
