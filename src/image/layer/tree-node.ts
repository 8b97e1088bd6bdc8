// One file of a tree as statx(2) and the calls beside it tell it.
import type { Bytes } from '../../linux/bytes.ts';
import { type FileType, fileTypeOf } from '../../linux/file-type.ts';
import type { Timespec } from '../../plan/syscalls.ts';

export interface TreeNode {
  /** Below the tree's root, `` for itself. */
  readonly path: Bytes;
  readonly type: FileType;
  /** Permission bits, 0..07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Bytes that are allocated: less than `size` where there are holes. */
  readonly allocated: number;
  readonly mtime: Timespec;
  readonly device: { readonly major: number; readonly minor: number };
  readonly links: number;
  /** Device and number of the inode: equal for names of one file. */
  readonly identity: string;
  readonly linkName: Bytes;
  readonly xattrs: ReadonlyMap<Bytes, Bytes>;
}

/** Reads struct statx at `at`; undefined where nothing was written, because the file had gone. */
export function nodeOfStatx(data: Uint8Array, at: number, path: Bytes): TreeNode | undefined {
  const view = new DataView(data.buffer, data.byteOffset + at, 256);
  const mode = view.getUint16(28, true);
  const type = fileTypeOf(mode);
  if (view.getUint32(0, true) === 0 || type === undefined) return undefined;
  return {
    path,
    type,
    mode: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: Number(view.getBigUint64(40, true)),
    allocated: 512 * Number(view.getBigUint64(48, true)),
    mtime: { seconds: Number(view.getBigInt64(112, true)), nanoseconds: view.getUint32(120, true) },
    device: { major: view.getUint32(128, true), minor: view.getUint32(132, true) },
    links: view.getUint32(16, true),
    identity: `${view.getUint32(136, true)}:${view.getUint32(140, true)}:${view.getBigUint64(32, true)}`,
    linkName: '',
    xattrs: NO_XATTRS,
  };
}

export const NO_XATTRS: ReadonlyMap<Bytes, Bytes> = new Map();

/** Whether overlayfs takes it for a removed file. */
export function isWhiteoutDevice({ type, device }: TreeNode): boolean {
  return type === 'character' && device.major === 0 && device.minor === 0;
}
