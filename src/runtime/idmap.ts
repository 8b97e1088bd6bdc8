// User namespaces that carry the mappings of id-mapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP).
//
// Such a namespace needs a process to be born with: a launcher of its own, single-threaded, that unshares and waits.
// The start's launcher writes its maps and opens it by /proc/PID/ns/user.
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../linux/constants/open.ts';
import { CLONE_NEWUSER } from '../linux/constants/process.ts';
import { slot } from '../plan/call.ts';
import { O_DIRECTORY } from '../plan/compile/destination.ts';
import { isIdMapped } from '../plan/compile/mounts.ts';
import { mapText, writeFile } from '../plan/compile/namespaces.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { parseMountOptions } from '../spec/mount-options.ts';
import type { Mount, Spec } from '../spec/runtime-spec.ts';
import { Player } from './player.ts';

/** Processes by the pointer of the mount that their user namespace is for, and what ends them. */
export interface IdMapHolders {
  readonly pids: ReadonlyMap<Pointer, number>;
  /** The process whose user namespace has the container's own maps, where `root` asked for one. */
  readonly root: number | undefined;
  close(): Promise<void>;
}

/** The mount's own mappings, or the container's where the option `idmap` stands alone (config.md, idmap). */
export interface Mappings {
  readonly uid: Bytes;
  readonly gid: Bytes;
}

function mappingsOf(mount: Mount, spec: Spec): Mappings | undefined {
  if (!isIdMapped(mount, parseMountOptions(mount.options, mount.type))) return undefined;
  const own = mount.uidMappings !== undefined || mount.gidMappings !== undefined;
  const { uidMappings = [], gidMappings = [] } = own ? mount : (spec.linux ?? {});
  return uidMappings.length === 0 || gidMappings.length === 0
    ? undefined
    : { uid: mapText(uidMappings), gid: mapText(gidMappings) };
}

/**
 * Makes one user namespace for each different pair of mappings; none where no mount has any. `root`: one with the maps of
 * the container as well, for the layers of its root.
 */
export async function holdIdMaps(
  port: Port,
  writer: Player,
  spec: Spec,
  root = false,
): Promise<IdMapHolders> {
  const channels = new Map<string, Channel>();
  const pids = new Map<Pointer, number>();
  const close = async (): Promise<void> => {
    for (const holder of channels.values()) await holder.close();
  };
  const hold = async (mappings: Mappings, cause: Pointer): Promise<number> => {
    const key = `${mappings.uid}/${mappings.gid}`;
    const holder = channels.get(key) ?? (await port.openChannel());
    if (!channels.has(key)) {
      channels.set(key, holder);
      await makeNamespace(port, holder, writer, mappings, cause);
    }
    return holder.pid;
  };
  try {
    for (const [index, mount] of (spec.mounts ?? []).entries()) {
      const mappings = mappingsOf(mount, spec);
      const cause = `/mounts/${index}`;
      if (mappings !== undefined) pids.set(cause, await hold(mappings, cause));
    }
    const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
    const own = { uid: mapText(uidMappings), gid: mapText(gidMappings) };
    return { pids, root: root ? await hold(own, '/linux') : undefined, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes `holder`, a launcher for nothing else, the process of a new user namespace; `writer` writes its maps. */
export async function makeNamespace(
  port: Port,
  holder: Channel,
  writer: Player,
  mappings: Mappings,
  cause: Pointer,
): Promise<void> {
  await new Player(port, holder).play([
    step('parent', 'idmap-namespace', 'a user namespace for mappings', cause, [sys.unshare(CLONE_NEWUSER)]),
  ]);
  const directory = slot('holder_proc');
  await writer.play([
    step(
      'parent',
      'idmap-maps',
      'write the mappings',
      [`${cause}/uidMappings`, `${cause}/gidMappings`],
      [
        sys.openat(sys.AT_FDCWD, `/proc/${holder.pid}`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, {
          result: directory,
        }),
        ...writeFile(directory, 'uid_map', mappings.uid),
        ...writeFile(directory, 'gid_map', mappings.gid),
        sys.close(directory),
      ],
    ),
  ]);
}
