// The volumes of one container: found or named before it is compiled, made before it starts, and the anonymous ones
// taken away with it.
import type { RequestedMount, VolumeFact, VolumeRequest } from '../../frontends/docker/volume-request.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { selinuxEnabled } from '../../runtime/facts.ts';
import type { Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import { type CopySource, copyUp } from './copy-up.ts';

import { type Backing, backingOf } from './driver-options.ts';
import { sharedLabel } from './host-actions.ts';
import { noteUse, volumesInUse } from './in-use.ts';
import { underLock } from './lock.ts';
import { openVolumes, type VolumeStore } from './volume-store.ts';

export type { CopySource } from './copy-up.ts';

/** For docker-run.ts, which loads nothing of this where there are no volumes. */
export interface RunVolumes {
  /** Of all volumes, for the record of the container, which is written before anything is made. */
  readonly names: readonly Bytes[];
  /** Where each is, by its destination in the container. */
  readonly facts: ReadonlyMap<Bytes, VolumeFact>;
  /** The names of the anonymous ones among them. */
  readonly anonymous: readonly Bytes[];
  /** Makes those that are not there, and fills new ones. `player`: a launcher to use. Throws CaissonError. */
  make(player: Player, id: Bytes, options?: MakeOptions): Promise<void>;
  /** Makes those that are not there, empty as yet: a container that is created has its volumes before it starts. */
  create(player: Player, id: Bytes): Promise<void>;
  /** Takes the anonymous volumes away. To be called when the record of the container is gone, or names them no more. */
  end(): Promise<void>;
}

/** What is known of the container whose volumes are planned. */
export interface ForContainer {
  /** It stays when its command ends: its record names its volumes, and who removes it removes the anonymous ones. */
  readonly kept?: boolean;
  /** Nothing else records it: who uses the volumes is noted beside them while its command lives. */
  readonly unrecorded?: boolean;
  /** Names that its anonymous volumes have already, by their destinations. */
  readonly names?: ReadonlyMap<Bytes, Bytes>;
}

export interface MakeOptions {
  /** The files that the container begins with; without them a new volume begins empty. */
  readonly source?: CopySource;
  /** The label of the container's mounts, where it has one. */
  readonly mountLabel?: Bytes;
  readonly check?: () => Promise<void>;
}

/** More volumes than any image has that means well. */
const MOST = 500;

interface Wanted {
  readonly name: Bytes;
  readonly destination: Bytes;
  readonly request: VolumeRequest;
  readonly backing: Backing;
  readonly source: string;
}

/**
 * Names the volumes of `requests` (compile-run's `requestedVolumes`). Nothing is made yet. Throws CaissonError `EUSAGE`
 * for options that no volume has, `EVOLUME` for a damaged volume.
 */
export async function planVolumes(
  port: Port,
  dataRoot: Bytes | undefined,
  requests: readonly RequestedMount[],
  container: ForContainer = {},
): Promise<RunVolumes> {
  if (requests.length > MOST)
    throw new CaissonError(`${requests.length} volumes: more than ${MOST} are not mounted`, {
      code: 'EUSAGE',
    });
  const store = await openVolumes(port, dataRoot);
  const wanted = requests.flatMap(({ mount, volume: request, source }): Wanted[] => {
    if (request === undefined) return [];
    const name = request.name ?? container.names?.get(mount.destination) ?? randomName(port);
    const known = store.find(name);
    const backing = backingOf(known?.options ?? request.driverOptions);
    return [{ name, destination: mount.destination, request, backing, source }];
  });
  const names = [...new Set(wanted.map(({ name }) => name))];
  // One that was taken over from another container goes with the last of them (docker's).
  const takenOver = ({ name, source }: Wanted) =>
    source.startsWith('--volumes-from ') && store.find(name)?.anonymous === true;
  const anonymous = wanted
    .filter((one) => one.request.name === undefined || takenOver(one))
    .map(({ name }) => name);
  let note: Bytes | undefined;
  const create = async (player: Player, id: Bytes) => {
    await store.begin();
    if (container.unrecorded === true) note ??= noteUse(store, id, names);
    await createAll(store, player, id, wanted);
  };
  return {
    names,
    anonymous,
    facts: new Map(wanted.map((one) => [one.destination, factOf(store, one)])),
    create,
    make: async (player, id, options = {}) => {
      await create(player, id);
      await fillAll(store, player, wanted, options);
    },
    end: async () => {
      if (note !== undefined) store.disk.remove(note);
      if (container.kept !== true) await store.removeAnonymous(anonymous);
    },
  };
}

function randomName(port: Port): Bytes {
  return [...port.random(32)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function factOf(store: VolumeStore, { name, backing }: Wanted): VolumeFact {
  if (backing.kind === 'tmpfs') return { name, kind: 'tmpfs', options: backing.options };
  if (backing.kind === 'bind')
    return { name, kind: 'directory', path: backing.device, options: backing.options, own: false };
  return { name, kind: 'directory', path: store.dataOf(name), options: [], own: true };
}

async function createAll(
  store: VolumeStore,
  player: Player,
  id: Bytes,
  wanted: readonly Wanted[],
): Promise<void> {
  // Nobody removes one of them between the look whether it is there and its use: the container's record names it by now.
  await underLock(store.port, player, store.lock, async () => {
    for (const one of wanted) await makeOne(store, player, id, one);
  });
}

async function fillAll(
  store: VolumeStore,
  player: Player,
  wanted: readonly Wanted[],
  { source, mountLabel, check }: MakeOptions,
): Promise<void> {
  const label = mountLabel !== undefined && selinuxEnabled(store.port) ? sharedLabel(mountLabel) : undefined;
  for (const { name, destination, request, backing } of wanted) {
    if (backing.kind === 'tmpfs') continue;
    await copyUp(store, player, {
      name,
      destination,
      ...(backing.kind === 'bind' ? { device: backing.device } : {}),
      source: request.copy ? source : undefined,
      durable: store.durable && request.name !== undefined,
      ...(label === undefined ? {} : { label }),
      ...(check === undefined ? {} : { check }),
    });
  }
}

async function makeOne(store: VolumeStore, player: Player, id: Bytes, wanted: Wanted): Promise<void> {
  const { name, request, backing, source } = wanted;
  if (backing.kind === 'tmpfs') refuseShared(store, name, id, source);
  if (backing.kind === 'bind' && store.port.stat(backing.device)?.type !== 'directory') {
    throw new CaissonError(
      `error while mounting volume '${store.dataOf(name)}': failed to mount local volume: mount ${backing.device}: no such directory`,
      { code: 'ENOTFOUND', sources: [source] },
    );
  }
  const anonymous = request.name === undefined;
  const { driverOptions: options, labels } = request;
  const { volume } = await store.create({ name, options, labels, anonymous }, player);
  if (JSON.stringify(backingOf(volume.options)) === JSON.stringify(backing)) return;
  throw new CaissonError(`volume ${name} has been made anew meanwhile, with other options: try again`, {
    code: 'ECONFLICT',
    sources: [source],
  });
}

/** A memory file system belongs to the mounts of one container: two would not see each other's files. */
function refuseShared(store: VolumeStore, name: Bytes, id: Bytes, source: string): void {
  const others = (volumesInUse(store.port, store.root).get(name) ?? []).filter((each) => each !== id);
  if (others.length === 0) return;
  throw new CaissonError(
    `volume ${name} is a tmpfs, which one container has at a time: it is in use - [${others.join(', ')}]`,
    { code: 'ECONFLICT', sources: [source] },
  );
}
