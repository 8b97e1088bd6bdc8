// The directory of a container below the data root: its changes, and who it belongs to.
//
//   containers/<id>/owner           the process that keeps the container, and the image that it uses
//   containers/<id>/{upper,work}    its changes; before Linux 6.5 links and merged as well (src/snapshot/image-root.ts)
//
// An owner that is dead has left its directory, whatever state directory it used. All of it vanishes with an attached
// run; a power cut leaves nothing that anybody needs, so that nothing waits for the disk.
import type { Disk } from '../../host/disk.ts';
import type { Channel, Port } from '../../host/port.ts';
import type { Pin } from '../../image/store/pins.ts';
import { removeTree } from '../../image/store/tree-removal.ts';
import { enterOwnUserNamespace, openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { IdMapping } from '../../linux/idmap.ts';
import { Player } from '../../runtime/player.ts';
import { bootId, identify, isAlive, type ProcessIdentity } from '../../runtime/state.ts';
import { isObject } from '../../spec/check.ts';
import { type Descriptor, parseDescriptor } from '../../spec/descriptor.ts';
import { type Digest, isDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import type { ContainerIds } from './changes-view.ts';

/** What is known of a container that uses an image. */
export interface PlaceOwner {
  readonly id: Bytes;
  readonly name: Bytes | undefined;
  readonly bootId: Bytes;
  readonly keeper: ProcessIdentity;
  /** What the image's name stood for. */
  readonly image: Descriptor;
  /** Of the image's configuration. */
  readonly imageId: Digest;
  /** Of the image for this platform. */
  readonly manifest: Descriptor;
  readonly imageName: string;
  /** Chain IDs of the layers that it sees, lowest first. */
  readonly layers: readonly Digest[];
  /** Where its changes are, `upper` and `work`. */
  readonly changes: Bytes;
  /** Names of the volumes that it mounts. */
  readonly volumes: readonly Bytes[];
  /** RFC 3339. */
  readonly created: Bytes;
  /** The maps of its user namespace, where its changes belong to the ids of that. */
  readonly ids?: ContainerIds;
  /** It stays until it is removed, whether it runs or not. */
  readonly kept?: boolean;
}

const CAUSE = 'default: the root of the container';
const OWNER_LIMIT = 1 << 20;

function containers(root: Bytes): Bytes {
  return `${root}/containers`;
}

/** Where the directory of a container is, below the store's `root`. */
export function placeOf(root: Bytes, id: Bytes): Bytes {
  return `${containers(root)}/${id}`;
}

/** What the name of a directory begins with that has no owner yet. */
const UNNAMED = '.new-';
/** And of one that somebody was removing. */
const GONE = '.gone-';
/** Milliseconds after which a directory that still has none has been left. */
const GRACE = 2000;

/** Makes the directory of a container that is about to start; it has an owner when others see it. */
export function makePlace(
  port: Port,
  disk: Disk,
  root: Bytes,
  owner: Omit<PlaceOwner, 'bootId' | 'keeper'>,
): Bytes {
  const place = placeOf(root, owner.id);
  const fresh = placeOf(root, `${UNNAMED}${owner.id}`);
  disk.makeDirectory(containers(root), 0o700);
  disk.makeDirectory(fresh, 0o700);
  writeOwner(port, fresh, owner);
  disk.rename(fresh, place);
  return place;
}

/** Notes the maps of a container that is about to start. */
export function noteIds(port: Port, place: Bytes, ids: ContainerIds): void {
  const owner = readOwner(port, place, place.slice(place.lastIndexOf('/') + 1));
  if (owner !== undefined) port.replaceFile(`${place}/owner`, stringifyJson({ ...owner, ids }), 0o600);
}

/** Writes whose directory it is. */
export function writeOwner(port: Port, place: Bytes, owner: Omit<PlaceOwner, 'bootId' | 'keeper'>): void {
  const whole: PlaceOwner = { ...owner, bootId: bootId(port), keeper: identify(port, port.pid) };
  port.replaceFile(`${place}/owner`, stringifyJson(whole), 0o600);
}

/** Removes it with all that the container has left there, for root by a launcher that the caller has. */
export async function removePlace(port: Port, place: Bytes, lent?: Channel): Promise<void> {
  if (port.stat(place) === undefined) return;
  const used = port.uid === 0 ? lent : undefined;
  const channel = used ?? (await openRemover(port, place));
  try {
    const unique = `.gone-${[...port.random(12)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    await removeTree(new Player(port, channel), place, unique);
  } finally {
    if (used === undefined) await channel.close();
  }
}

/** Files of subordinate users need all of a user's ids, which take two helper programs: mostly there are none. */
async function openRemover(port: Port, place: Bytes) {
  const untouched = port.uid !== 0 && (port.entries(`${place}/upper`) ?? []).length === 0;
  if (!untouched) return (await openFileLauncher(port, CAUSE)).channel;
  const channel = await port.openChannel({ noInput: true });
  try {
    await new Player(port, channel).play(enterOwnUserNamespace(port.uid, port.gid, CAUSE));
    return channel;
  } catch (error) {
    await channel.close();
    throw error;
  }
}

/** The containers of a store whose keepers live. */
export function placesInUse(port: Port, root: Bytes): PlaceOwner[] {
  return allPlaces(port, root).flatMap(({ owner }) =>
    owner !== undefined && isKept(port, owner) ? [owner] : [],
  );
}

/** Directories whose keepers have died, or that are damaged. */
export function abandonedPlaces(port: Port, disk: Disk, root: Bytes): Bytes[] {
  const names = port.list(containers(root));
  const unnamed = names.filter((name) => name.startsWith(UNNAMED));
  const gone = names.filter((name) => name.startsWith(GONE)).map((name) => placeOf(root, name));
  const left = unnamed
    .map((name) => placeOf(root, name))
    .filter((path) => {
      const maker = makerOf(port, path);
      if (maker !== undefined) return !isAlive(port, maker);
      const modified = disk.stat(path)?.modified;
      return modified !== undefined && Date.now() - modified > GRACE;
    });
  const dead = allPlaces(port, root).filter(({ path, owner }) =>
    owner === undefined ? port.stat(`${path}/container.json`) === undefined : !isKept(port, owner),
  );
  return [...left, ...gone, ...dead.map(({ path }) => path)];
}

/** Notes in a directory that has no owner yet who is making it. */
export function noteMaker(port: Port, fresh: Bytes): void {
  port.replaceFile(`${fresh}/${MAKER}`, stringifyJson(identify(port, port.pid)), 0o600);
}

/** Who is making a directory; undefined where nobody has said so. */
export function makerOf(port: Pick<Port, 'readFile'>, fresh: Bytes): ProcessIdentity | undefined {
  try {
    const value = parseJson(port.readFile(`${fresh}/${MAKER}`, OWNER_LIMIT) ?? '');
    if (!isObject(value)) return undefined;
    const { pid, startTime } = value;
    return typeof pid === 'number' && typeof startTime === 'number' ? { pid, startTime } : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/** The file that says who is making a directory. */
export const MAKER = 'maker';

/** Names of the volumes that the owners of `places` had. */
export function volumesOfPlaces(port: Port, places: readonly Bytes[]): Bytes[] {
  const owners = places.map((path) => readOwner(port, path, path.slice(path.lastIndexOf('/') + 1)));
  return [...new Set(owners.flatMap((owner) => owner?.volumes ?? []))];
}

/** What a garbage collection must leave for running containers. */
export function containerPins(port: Port, root: Bytes): Pin[] {
  return placesInUse(port, root).map(({ image, layers }) => ({ images: [image], layers }));
}

function allPlaces(
  port: Port,
  root: Bytes,
): { readonly path: Bytes; readonly owner: PlaceOwner | undefined }[] {
  const ids = port.list(containers(root)).filter((name) => !name.startsWith('.'));
  return ids.map((id) => {
    const path = placeOf(root, id);
    return { path, owner: readOwner(port, path, id) };
  });
}

function isKept(port: Port, owner: PlaceOwner): boolean {
  return owner.kept === true || (owner.bootId === bootId(port) && isAlive(port, owner.keeper));
}

/** undefined for what is no file of ours, or not written yet. */
function readOwner(port: Port, path: Bytes, id: Bytes): PlaceOwner | undefined {
  const text = port.readFile(`${path}/owner`, OWNER_LIMIT);
  if (text === undefined) return undefined;
  try {
    return parseOwner(parseJson(text), id);
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

function parseOwner(value: unknown, id: Bytes): PlaceOwner | undefined {
  if (!isObject(value) || !isObject(value.keeper)) return undefined;
  const { name, bootId: boot, imageName, changes, created, imageId } = value;
  const { pid, startTime } = value.keeper;
  const layers = Array.isArray(value.layers) ? (value.layers as unknown[]) : [];
  const volumes = Array.isArray(value.volumes) ? (value.volumes as unknown[]) : [];
  if (typeof boot !== 'string' || typeof pid !== 'number' || typeof startTime !== 'number') return undefined;
  if (typeof imageName !== 'string' || typeof changes !== 'string' || typeof created !== 'string')
    return undefined;
  if (typeof imageId !== 'string' || !isDigest(imageId)) return undefined;
  const ids = value.ids === undefined ? undefined : parseIds(value.ids);
  if (value.ids !== undefined && ids === undefined) return undefined;
  return {
    id,
    name: typeof name === 'string' ? name : undefined,
    bootId: boot,
    keeper: { pid, startTime },
    image: parseDescriptor(value.image, '/image'),
    imageId,
    manifest: parseDescriptor(value.manifest, '/manifest'),
    imageName,
    layers: layers.filter((each): each is Digest => typeof each === 'string' && isDigest(each)),
    changes,
    volumes: volumes.filter((each): each is Bytes => typeof each === 'string'),
    created,
    ...(ids === undefined ? {} : { ids }),
    ...(value.kept === true ? { kept: true } : {}),
  };
}

function parseIds(value: unknown): ContainerIds | undefined {
  if (!isObject(value)) return undefined;
  const [uids, gids] = [parseMap(value.uids), parseMap(value.gids)];
  return uids === undefined || gids === undefined ? undefined : { uids, gids };
}

function parseMap(value: unknown): IdMapping[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const lines = (value as unknown[]).flatMap((line): IdMapping[] => {
    if (!isObject(line)) return [];
    const { containerId, hostId, size } = line;
    if (typeof containerId !== 'number' || typeof hostId !== 'number' || typeof size !== 'number') return [];
    return [{ containerId, hostId, size }];
  });
  return lines.length === value.length ? lines : undefined;
}
