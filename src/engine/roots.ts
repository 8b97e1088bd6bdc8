// Where the root of a container comes from: the built-in image `host`, a directory, or a tar archive.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import type { HostFacts } from '../plan/facts.ts';
import { directoryRoot } from '../snapshot/directory-root.ts';
import { directoriesToList, hostRoot, mountsToStat } from '../snapshot/host-root.ts';
import type { HostEntry } from '../snapshot/host-view.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';

/** Compiles the copy-on-write view of this machine's own files. */
export function hostImageRoot(port: Port, spec: Spec, upper: Bytes | undefined) {
  return (facts: HostFacts, mounts: readonly MountEntry[]): RootPlan => {
    const userNamespace = (spec.linux?.namespaces ?? []).some(({ type }) => type === 'user');
    const listings = new Map<Bytes, readonly HostEntry[]>();
    for (const path of directoriesToList(mounts, userNamespace)) {
      const entries = port.entries(path);
      if (entries !== undefined) listings.set(path, entries);
    }
    const fileMounts = new Set(mountsToStat(mounts).filter((path) => port.stat(path)?.type !== 'directory'));
    const view = { mounts, kernel: facts.kernel, userNamespace, listings, fileMounts };
    if (upper !== undefined) port.makeDirectory(upper);
    const label = spec.linux?.mountLabel ?? '';
    const options = label === '' ? {} : { label };
    return hostRoot(
      view,
      upper === undefined ? { cause: 'image: host', ...options } : { cause: '--upper', upper, ...options },
    );
  };
}

/** `--rootfs DIR`. Throws CaissonError ENOTFOUND when there is no such directory. */
export function directoryImageRoot(port: Port, path: Bytes) {
  if (port.stat(path)?.type !== 'directory') {
    throw new CaissonError(`${path}: no such directory`, {
      code: 'ENOTFOUND',
      sources: [`--rootfs ${path}`],
    });
  }
  return (): RootPlan => directoryRoot(path, '/root/path');
}
