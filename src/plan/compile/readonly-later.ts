// File systems that become read-only when everything is in them: /dev, and a tmpfs that something is mounted in.
import type { Bytes } from '../../linux/bytes.ts';
import { MOUNT_ATTR_RDONLY } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH } from '../../linux/constants/open.ts';
import { type MountOptions, parseMountOptions } from '../../spec/mount-options.ts';
import type { Mount, Spec } from '../../spec/runtime-spec.ts';
import { slot } from '../call.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative } from './context.ts';
import { lookUp } from './destination.ts';

/** Whether a read-only file system is still written to: nodes of devices, mount points, /dev/console. */
export function isFilledLater(spec: Spec, mount: Mount, index: number, options: MountOptions): boolean {
  if (options.bind || (options.attrSet & MOUNT_ATTR_RDONLY) === 0) return false;
  const name = relative(mount.destination);
  if (name === 'dev') return true;
  return mount.type === 'tmpfs' && (lastInside(spec.mounts ?? []).get(name) ?? -1) > index;
}

const known = new WeakMap<readonly Mount[], Map<Bytes, number>>();

/** For each directory that a mount lies below: the last such mount. There may be thousands of mounts. */
function lastInside(mounts: readonly Mount[]): Map<Bytes, number> {
  const made = known.get(mounts) ?? new Map<Bytes, number>();
  if (known.has(mounts)) return made;
  known.set(mounts, made);
  for (const [index, { destination }] of mounts.entries()) {
    const name = relative(destination);
    for (let cut = name.lastIndexOf('/'); cut > 0; cut = name.lastIndexOf('/', cut - 1))
      made.set(name.slice(0, cut), index);
  }
  return made;
}

/** Makes them so, after all mounts and before the root itself. */
export function readonlyLater(c: Context): void {
  c.spec.mounts?.forEach((mount, index) => {
    if (!isFilledLater(c.spec, mount, index, parseMountOptions(mount.options, mount.type))) return;
    const { destination } = mount;
    const mounted = slot(`filled ${destination}`);
    const flags = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
    c.child('readonly-mount', `make ${destination} read-only`, `/mounts/${index}`, [
      lookUp(c, destination, false, mounted),
      sys.mountSetattr(mounted, '', AT_EMPTY_PATH, flags),
      sys.close(mounted),
    ]);
  });
}
