// The mount API on descriptors: open_tree(2), fsopen(2), fsconfig(2), fsmount(2), move_mount(2), mount_setattr(2),
// and what is left of mount(2), umount2(2) and pivot_root(2).
import type { Bytes } from '../linux/bytes.ts';
import * as F from '../linux/flags.ts';
import {
  type Call,
  type CallOptions,
  call,
  type Field,
  NULL,
  number,
  plain,
  pointer,
  string,
  struct,
} from './call.ts';
import { descriptor, type Fd } from './descriptor.ts';

/** The descriptor itself is meant: AT_EMPTY_PATH and the like. */
const ITSELF = string('');
const path = (bytes: Bytes) => (bytes === '' ? ITSELF : string(bytes));

const SET_FLAG = number(0, F.FSCONFIG_COMMANDS);
const SET_STRING = number(1, F.FSCONFIG_COMMANDS);
const SET_FD = number(5, F.FSCONFIG_COMMANDS);
const CREATE = number(6, F.FSCONFIG_COMMANDS);
const NONE = number(0);

export const openTree = (dir: Fd, name: Bytes, flags: number, options?: CallOptions): Call =>
  plain('open_tree', [descriptor(dir), path(name), number(flags, F.OPEN_TREE_FLAGS)], options);

export const fsopen = (type: Bytes, flags: number, options?: CallOptions): Call =>
  plain('fsopen', [string(type), number(flags, F.FSOPEN_FLAGS)], options);

export const fsconfigFlag = (context: Fd, key: Bytes, options?: CallOptions): Call =>
  plain('fsconfig', [descriptor(context), SET_FLAG, string(key), NULL, NONE], options);

export const fsconfigString = (context: Fd, key: Bytes, text: Bytes, options?: CallOptions): Call =>
  plain('fsconfig', [descriptor(context), SET_STRING, string(key), string(text), NONE], options);

export const fsconfigFd = (context: Fd, key: Bytes, from: Fd, options?: CallOptions): Call =>
  plain('fsconfig', [descriptor(context), SET_FD, string(key), NULL, descriptor(from)], options);

export const fsconfigCreate = (context: Fd, options?: CallOptions): Call =>
  plain('fsconfig', [descriptor(context), CREATE, NULL, NULL, NONE], options);

export const fsmount = (context: Fd, flags: number, attributes: number, options?: CallOptions): Call =>
  plain(
    'fsmount',
    [descriptor(context), number(flags, F.FSMOUNT_FLAGS), number(attributes, F.MOUNT_ATTR_FLAGS)],
    options,
  );

export const moveMount = (from: Fd, to: Fd, flags: number, options?: CallOptions, toPath: Bytes = ''): Call =>
  plain(
    'move_mount',
    [descriptor(from), ITSELF, descriptor(to), path(toPath), number(flags, F.MOVE_MOUNT_FLAGS)],
    options,
  );

export interface MountAttributes {
  readonly set: number;
  readonly clear: number;
  readonly propagation: number;
  readonly userns?: Fd;
}

export const mountSetattr = (
  dir: Fd,
  name: Bytes,
  flags: number,
  attributes: MountAttributes,
  options?: CallOptions,
): Call => {
  const userns: Field = { name: 'userns_fd', width: 8, value: attributes.userns ?? 0 };
  return call(
    'mount_setattr',
    [
      descriptor(dir),
      path(name),
      number(flags, F.AT_FLAGS),
      pointer(
        struct(
          { name: 'attr_set', width: 8, value: attributes.set, format: F.MOUNT_ATTR_FLAGS },
          { name: 'attr_clr', width: 8, value: attributes.clear, format: F.MOUNT_ATTR_FLAGS },
          { name: 'propagation', width: 8, value: attributes.propagation, format: F.PROPAGATION },
          userns,
        ),
        4,
      ),
      number(32),
    ],
    options,
  );
};

/** mount(2): for overlay of many layers on kernels before `lowerdir+`, and for propagation of the whole tree. */
export const mount = (
  source: Bytes | null,
  target: Bytes,
  type: Bytes | null,
  flags: number,
  data: Bytes | null,
  options?: CallOptions,
): Call => {
  const text = (bytes: Bytes | null) => (bytes === null ? NULL : string(bytes));
  return call(
    'mount',
    [text(source), string(target), text(type), number(flags, F.MOUNT_FLAGS), text(data)],
    options,
  );
};

export const umount2 = (target: Bytes, flags: number, options?: CallOptions): Call =>
  call('umount2', [string(target), number(flags, F.UMOUNT_FLAGS)], options);

export const pivotRoot = (newRoot: Bytes, putOld: Bytes): Call =>
  call('pivot_root', [string(newRoot), string(putOld)]);
