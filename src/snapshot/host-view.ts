// What both ways of viewing the host's files share: the facts they are compiled from, and read-only binds.
import type { DirectoryEntry } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { Call, Slot } from '../plan/call.ts';
import type { Step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { isBelow } from './mount-table.ts';

/** What a persistent upper directory has already may stay. */
export const EXISTS = { tolerate: [ERRNO.EEXIST] };

/** One name in a directory of the host. */
export type HostEntry = DirectoryEntry;

/** What the view is compiled from. */
export interface HostRootFacts {
  /** The caller's /proc/self/mountinfo. */
  readonly mounts: readonly MountEntry[];
  readonly kernel: readonly [number, number];
  /** Whether the container has a user namespace of its own: its mounts are then locked together. */
  readonly userNamespace: boolean;
  /** The content of the directories that `directoriesToList` names; unreadable ones are absent. */
  readonly listings: ReadonlyMap<Bytes, readonly HostEntry[]>;
  /** Those of `mountsToStat` that are files, not directories. */
  readonly fileMounts: ReadonlySet<Bytes>;
}

export interface HostRootOptions {
  /** An existing host directory that keeps the changes, in `upper` (and `mounts`); absent: they vanish. */
  readonly upper?: Bytes;
  readonly cause: Pointer;
  /** `linux.mountLabel`: the SELinux context of every file of the view. */
  readonly label?: Bytes;
}

/** The label of an overlay, where there is one. */
export function labelled({ label }: HostRootOptions): { readonly label?: Bytes } {
  return label === undefined || label === '' ? {} : { label };
}

/** Where changes go: the tmpfs, or the caller's directory. */
export interface Layers {
  /** Holds `upper` and `work`, and `mounts` with the upper layers of further file systems. */
  readonly directory: Slot;
  /** The upper layer of `/`. */
  readonly upper: Slot;
}

/** A detached mount, and where below the root it belongs. */
export interface Part {
  readonly path: Bytes;
  readonly mounted: Slot;
}

/** Steps that end with a detached root, and what is to be attached below it, in this order. */
export interface Assembly {
  readonly steps: readonly Step[];
  readonly parts: readonly Part[];
}

/** The flags that the host's administrator gave a file system hold for its copy-on-write view too. */
export function keptAttributes(mount: MountEntry): number {
  return (
    (mount.options.includes('nosuid') ? MOUNT_ATTR_NOSUID : 0) |
    (mount.options.includes('nodev') ? MOUNT_ATTR_NODEV : 0) |
    (mount.options.includes('noexec') ? MOUNT_ATTR_NOEXEC : 0)
  );
}

/** A detached read-only bind of a host path. What is mounted below must come along in a user namespace (EINVAL). */
export function readOnlyBind(path: Bytes, mounts: readonly MountEntry[], mounted: Slot): Call[] {
  const whole = mounts.some((mount) => isBelow(mount.mountPoint, path)) ? AT_RECURSIVE : 0;
  return [
    sys.openTree(sys.AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | whole, { result: mounted }),
    sys.mountSetattr(mounted, '', AT_EMPTY_PATH | whole, {
      set: MOUNT_ATTR_RDONLY,
      clear: 0,
      propagation: 0,
    }),
  ];
}
