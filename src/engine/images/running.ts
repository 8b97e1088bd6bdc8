// Containers as commands about their files see them: where their changes are, whose they are, which process is the first.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseIdMap } from '../../linux/idmap.ts';
import { type ContainerRecord, identify, type ProcessIdentity } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ContainerIds } from './changes-view.ts';
import { type PlaceOwner, placesInUse } from './container-place.ts';

/** Where the changes of a container are. Throws CaissonError `EUNSUPPORTED` for one that is of no image of the store. */
export function changesOf(port: Port, root: Bytes, { id }: Pick<ContainerRecord, 'id'>): PlaceOwner {
  const found = placesInUse(port, root).find((owner) => owner.id === id);
  if (found !== undefined) return found;
  throw new CaissonError(
    `container ${id.slice(0, 12)} is of no image of the store: its changes are not apart from its root`,
    {
      code: 'EUNSUPPORTED',
      exitCode: 1,
    },
  );
}

/**
 * The maps of root's container in a user namespace, whose changes belong to other ids than the container sees; undefined
 * for one without, and for a user's, which sees the ids that the user's layers have. `init` is its first process.
 */
export function idsOf(
  port: Port,
  { ids }: PlaceOwner,
  init: ProcessIdentity | undefined,
): ContainerIds | undefined {
  if (ids !== undefined || port.uid !== 0 || init === undefined) return ids;
  // One that joined a user namespace: its maps are nowhere but with its processes.
  const { pid } = init;
  const [uids, gids] = ['uid_map', 'gid_map'].map((name) => port.readFile(`/proc/${pid}/${name}`));
  if (uids === undefined || gids === undefined || uids === port.readFile('/proc/self/uid_map'))
    return undefined;
  return { uids: parseIdMap(uids), gids: parseIdMap(gids) };
}

/** The container's first process: the one child of its launcher. Throws CaissonError `ENOTRUNNING`. */
export function firstProcess(port: Port, record: ContainerRecord): ProcessIdentity {
  if (record.oci?.init !== undefined) return record.oci.init;
  const pid = firstPid(port, record);
  if (pid !== undefined) return identify(port, pid);
  throw new CaissonError(`container ${record.id.slice(0, 12)} is not running`, {
    code: 'ENOTRUNNING',
    exitCode: 1,
  });
}

function firstPid(port: Port, { launcher, oci }: ContainerRecord): number | undefined {
  if (oci?.init !== undefined) return oci.init.pid;
  const children = port.readFile(`/proc/${launcher.pid}/task/${launcher.pid}/children`) ?? '';
  const [first] = children.split(' ').filter((word) => word !== '');
  return first === undefined ? undefined : Number(first);
}

const MOUNTED: readonly Bytes[] = ['dev', 'proc', 'sys', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf'];

/**
 * Places where every container has a mount: what is below in the changes are the mount points, which are no change of
 * anybody's (docker has them in a layer that is never committed).
 */
export function isMountPoint(path: Bytes): boolean {
  return MOUNTED.includes(path);
}
