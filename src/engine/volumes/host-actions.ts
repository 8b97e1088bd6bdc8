// What options of mounts ask to be done to the host's files before a start: owner (U), label (z, Z), a missing directory.
import type { HostAction } from '../../frontends/docker/bind-options.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { Port } from '../../host/port.ts';
import { parentOf } from '../../image/store/durable.ts';
import { type MapLines, subordinateMaps } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { selinuxEnabled } from '../../runtime/facts.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxIDMapping, Spec } from '../../spec/runtime-spec.ts';
import { changeTree } from './change-tree.ts';

/** Directories of the system: with another owner or label the host would not work any more (as podman has it). */
const DANGEROUS: ReadonlySet<Bytes> = new Set(
  '/ /bin /boot /dev /etc /etc/passwd /etc/pki /etc/shadow /home /lib /lib64 /media /opt /proc /root /run /sbin /srv /sys /system /tmp /usr /var /var/lib /var/log'.split(
    ' ',
  ),
);

/**
 * Does it, in the order of the flags. `spec` is what is started: its user, id maps and label. Throws CaissonError
 * `EUSAGE` for a directory of the system, `EIDMAP` for an owner who does not exist here.
 */
export async function performHostActions(
  port: Port,
  spec: Spec,
  actions: readonly HostAction[],
): Promise<void> {
  for (const action of actions.filter(({ kind }) => kind === 'create')) createDirectory(action.path);
  for (const action of actions) {
    if (action.kind === 'chown') await giveAway(port, spec, action);
    else if (action.kind !== 'create') await relabel(port, spec, action);
  }
}

/** docker's: as `mkdir -p`. */
function createDirectory(path: Bytes): void {
  const disk = hostDisk();
  if (path === '/' || disk.stat(path) !== undefined) return;
  createDirectory(parentOf(path));
  disk.makeDirectory(path, 0o755);
}

function refuseDangerous({ path, source }: HostAction, doing: string): void {
  if (!DANGEROUS.has(path)) return;
  throw new CaissonError(`${doing} of ${path} is not allowed: the host would not work any more`, {
    code: 'EUSAGE',
    sources: [source],
  });
}

async function giveAway(port: Port, spec: Spec, action: HostAction): Promise<void> {
  refuseDangerous(action, 'changing the owner');
  const { uid = 0, gid = 0 } = spec.process?.user ?? {};
  const maps = port.uid === 0 ? undefined : subordinateMaps(port);
  const owner = (
    id: number,
    own: number,
    mappings: readonly LinuxIDMapping[] | undefined,
    lines?: MapLines,
  ) => ownerHere(port, { id, own, mappings, lines }, action);
  const { uidMappings, gidMappings } = action.mapped === true ? {} : (spec.linux ?? {});
  const ids = {
    uid: owner(uid, port.uid, uidMappings, maps?.uids),
    gid: owner(gid, port.gid, gidMappings, maps?.gids),
  };
  await changeTree(port, action.path, { kind: 'owner', ...ids }, action.source);
}

interface ContainerId {
  readonly id: number;
  /** Of the caller, on the host. */
  readonly own: number;
  readonly mappings: readonly LinuxIDMapping[] | undefined;
  /** Of the launcher that changes the files, where it is in a user namespace. */
  readonly lines: MapLines | undefined;
}

/** An id of the container as the launcher that works on files calls it. */
export function ownerHere(
  port: Pick<Port, 'uid'>,
  { id, own, mappings, lines }: ContainerId,
  { path, source }: Pick<HostAction, 'path' | 'source'>,
): number {
  const line = (mappings ?? []).find(({ containerID, size }) => id >= containerID && id < containerID + size);
  const isMapped = mappings !== undefined && mappings.length > 0;
  const host = line === undefined ? id : line.hostID + id - line.containerID;
  const here = (lines ?? [[0, own, 1] as const]).find(
    ([, outside, count]) => host >= outside && host < outside + count,
  );
  if (!(isMapped && line === undefined)) {
    if (port.uid === 0) return host;
    if (here !== undefined) return here[0] + host - here[1];
  }
  throw new CaissonError(
    `${path} cannot be given to id ${id} of the container, which is no id of this user`,
    {
      code: 'EIDMAP',
      sources: [source],
    },
  );
}

/** Nothing where there is no SELinux, or the container has no label. */
async function relabel(port: Port, spec: Spec, action: HostAction): Promise<void> {
  const own = spec.linux?.mountLabel;
  if (own === undefined || own === '' || !selinuxEnabled(port)) return;
  refuseDangerous(action, 'relabelling');
  const label = action.kind === 'relabel-shared' ? sharedLabel(own) : own;
  await changeTree(port, action.path, { kind: 'label', label }, action.source);
}

/** Without the categories that keep containers apart: user:role:type:level. */
export function sharedLabel(label: Bytes): Bytes {
  const [user = '', role = '', type = '', level = 's0'] = label.split(':');
  return [user, role, type, level].join(':');
}
