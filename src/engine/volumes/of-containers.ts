// Volumes and the records of containers: which mounts others take over, and which volumes go with a container.
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import { type ContainerMount, containersNamed } from '../../frontends/docker/volumes-from.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { Port } from '../../host/port.ts';
import { storeLocation } from '../../image/store/location.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { ContainerMount as RecordedMount } from '../containers/container-file.ts';
import type { Engine } from '../containers/engine.ts';
import { findContainer } from '../containers/find.ts';
import { VolumeStore } from './volume-store.ts';

/** The mounts of the containers that `--volumes-from` names, by their names as typed. Throws CaissonError `ENOTFOUND`. */
export function mountsOfOthers(
  engine: Engine,
  flags: RunFlags,
): ReadonlyMap<Bytes, readonly ContainerMount[]> {
  return new Map(
    containersNamed(flags).map((name) => [
      name,
      findContainer(engine, name).file.mounts.flatMap((mount) => mountForOthers(mount) ?? []),
    ]),
  );
}

/** The same for a run that lives and dies with its command; undefined without that flag. */
export async function mountsForRun(
  port: Port,
  { dataRoot, stateRoot }: { readonly dataRoot: Bytes | undefined; readonly stateRoot: Bytes },
  flags: RunFlags,
): Promise<ReadonlyMap<Bytes, readonly ContainerMount[]> | undefined> {
  if (flags.volumesFrom === undefined) return undefined;
  const { root, durability } = await storeLocation(port, dataRoot);
  const engine = { port, dataRoot: root, stateRoot, durable: durability !== 'off', warn: () => undefined };
  return mountsOfOthers(engine, flags);
}

/** As it would be asked for; a memory file system belongs to its container alone. */
function mountForOthers({
  type,
  name,
  subpath,
  source,
  destination,
  options,
}: RecordedMount): ContainerMount | undefined {
  if (type === 'tmpfs') return undefined;
  const words = wordsOf(options);
  if (type === 'bind' || name === undefined) return { type: 'bind', source, destination, options: words };
  const own = words.filter((word) => word !== 'idmap' && !PROPAGATION.test(word));
  return { type, name, destination, options: own, ...(subpath === undefined ? {} : { subpath }) };
}

const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;

/** Options of a mount -> the words that ask for them: rights that a mount does not take away were asked for. */
function wordsOf(options: readonly Bytes[]): Bytes[] {
  const open = ['suid', 'dev'].filter((word) => !options.includes(`no${word}`));
  return [...options.filter((word) => word !== 'nosuid' && word !== 'nodev'), ...open];
}

/** Removes volumes that nobody has named, and that no container uses any more. */
export async function removeAnonymousVolumes(
  { port, dataRoot, durable }: Pick<Engine, 'port' | 'dataRoot' | 'durable'>,
  names: readonly Bytes[],
): Promise<void> {
  if (names.length > 0) await new VolumeStore(port, hostDisk(), dataRoot, durable).removeAnonymous(names);
}
