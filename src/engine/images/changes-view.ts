// The changes of a container whose ids are mapped, as the container sees them: with its own ids.
//
// Root's launcher reads them through a mount that maps the ids back (mount_setattr(2), MOUNT_ATTR_IDMAP), so that the kernel
// translates owners, access lists and the root of file capabilities (capabilities(7), namespaced file capabilities) alike.
// A user's launcher is in a user namespace with the container's maps.
import type { IdMaps } from '../../frontends/docker/facts.ts';
import type { Port } from '../../host/port.ts';
import { type FileLauncher, openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { MOUNT_ATTR_IDMAP, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { formatIdMap, type IdMapping } from '../../linux/idmap.ts';
import { slot } from '../../plan/call.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { makeNamespace } from '../../runtime/idmap.ts';
import { Player } from '../../runtime/player.ts';
import type { LinuxIDMapping } from '../../spec/runtime-spec.ts';

/** The maps of a container's user namespace. */
export interface ContainerIds {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** The maps of a configuration. */
export function containerIds({
  uidMappings,
  gidMappings,
}: Pick<IdMaps, 'uidMappings' | 'gidMappings'>): ContainerIds {
  const lines = (mappings: readonly LinuxIDMapping[]) =>
    mappings.map(({ containerID, hostID, size }) => ({ containerId: containerID, hostId: hostID, size }));
  return { uids: lines(uidMappings), gids: lines(gidMappings) };
}

/** What reads a container's changes: a directory, and who opens it. */
export interface ChangesView {
  readonly directory: Bytes;
  readonly launcher?: () => Promise<FileLauncher>;
}

/** How the files below `directory` are read; `ids` where they belong to the ids of a user namespace. */
export function changesView(
  port: Port,
  directory: Bytes,
  ids: ContainerIds | undefined,
  cause: Bytes,
): ChangesView {
  if (ids === undefined) return { directory };
  if (port.uid !== 0) return { directory, launcher: () => openFileLauncher(port, cause, ids) };
  return { directory: '.', launcher: () => openMappedBack(port, directory, ids, cause) };
}

/** A launcher of root's whose current directory is a clone of `directory` with the ids that the container sees. */
async function openMappedBack(
  port: Port,
  directory: Bytes,
  ids: ContainerIds,
  cause: Bytes,
): Promise<FileLauncher> {
  const launcher = await openFileLauncher(port, cause);
  const holder = await port.openChannel({ noInput: true });
  try {
    const player = new Player(port, launcher.channel);
    await makeNamespace(port, holder, player, { uid: back(ids.uids), gid: back(ids.gids) }, cause);
    const [maps, tree] = [slot('maps'), slot('changes')];
    await player.play([
      step('parent', 'map-changes', `map the ids of ${directory} back`, cause, [
        sys.openat(sys.AT_FDCWD, `/proc/${holder.pid}/ns/user`, O_RDONLY | O_CLOEXEC, 0, { result: maps }),
        sys.openTree(sys.AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: tree }),
        sys.mountSetattr(tree, '', AT_EMPTY_PATH, {
          set: MOUNT_ATTR_IDMAP,
          clear: 0,
          propagation: 0,
          userns: maps,
        }),
        sys.fchdir(tree),
        sys.close(maps),
      ]),
    ]);
    return launcher;
  } catch (error) {
    await launcher.channel.close();
    throw error;
  } finally {
    await holder.close();
  }
}

/** On the disk is what the container's ids are outside. */
function back(map: readonly IdMapping[]): Bytes {
  return formatIdMap(
    map.map(({ containerId, hostId, size }) => ({ containerId: hostId, hostId: containerId, size })),
  );
}
