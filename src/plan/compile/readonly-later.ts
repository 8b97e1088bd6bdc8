// File systems that become read-only when everything is in them: /dev, and a tmpfs that something is mounted in.
import { MOUNT_ATTR_RDONLY } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH } from '../../linux/constants/open.ts';
import { type MountOptions, parseMountOptions } from '../../spec/mount-options.ts';
import type { Mount, Spec } from '../../spec/runtime-spec.ts';
import { slot } from '../call.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative } from './context.ts';
import { lookUp } from './destination.ts';

/** Whether a read-only file system is still written to: nodes of devices, mount points, /dev/console. */
export function isFilledLater(spec: Spec, mount: Mount, options: MountOptions): boolean {
  if (options.bind || (options.attrSet & MOUNT_ATTR_RDONLY) === 0) return false;
  const name = relative(mount.destination);
  if (name === 'dev') return true;
  const mounts = spec.mounts ?? [];
  return (
    mount.type === 'tmpfs' &&
    mounts
      .slice(mounts.indexOf(mount) + 1)
      .some((other) => relative(other.destination).startsWith(`${name}/`))
  );
}

/** Makes them so, after all mounts and before the root itself. */
export function readonlyLater(c: Context): void {
  c.spec.mounts?.forEach((mount, index) => {
    if (!isFilledLater(c.spec, mount, parseMountOptions(mount.options, mount.type))) return;
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
