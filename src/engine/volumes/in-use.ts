// Which containers use which volumes: from the records of containers, whether they run or not.
//
// A run that lives and dies with its command has a record only where it has an image; any other leaves a note beside the
// volumes, volumes/.use-<id>, for as long as its command lives.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { bootId, identify, isAlive } from '../../runtime/state.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import { placesInUse } from '../images/container-place.ts';
import type { VolumeStore } from './volume-store.ts';

/** Ids of the containers that use a volume, by its name. */
export type VolumeUsers = ReadonlyMap<Bytes, readonly Bytes[]>;

const RECORD_LIMIT = 16 << 20;

/**
 * The users of all volumes below `dataRoot`: containers with a record (`containers/<id>/container.json`), stopped ones
 * too, and attached runs whose keepers live (`containers/<id>/owner`). A record that cannot be read names nothing, and
 * is reported by whoever lists containers.
 */
export function volumesInUse(port: Port, dataRoot: Bytes): VolumeUsers {
  const users = new Map<Bytes, Bytes[]>();
  const add = (id: Bytes, names: readonly Bytes[]) => {
    for (const name of new Set(names)) {
      const known = users.get(name);
      if (known === undefined) users.set(name, [id]);
      else if (!known.includes(id)) known.push(id);
    }
  };
  for (const { id, volumes } of placesInUse(port, dataRoot)) add(id, volumes);
  for (const { id, names, alive } of useNotes(port, dataRoot)) if (alive) add(id, names);
  const containers = `${dataRoot}/containers`;
  for (const id of port.list(containers))
    if (!id.startsWith('.')) add(id, recorded(port, `${containers}/${id}/container.json`));
  return users;
}

const NOTE = '.use-';

interface UseNote {
  readonly path: Bytes;
  readonly id: Bytes;
  readonly names: readonly Bytes[];
  /** Whether the command that wrote it lives. */
  readonly alive: boolean;
}

/** Notes that the container `id`, which ends with this command, uses these volumes. The path of the note. */
export function noteUse({ port, directory }: VolumeStore, id: Bytes, names: readonly Bytes[]): Bytes {
  const path = `${directory}/${NOTE}${id}`;
  const keeper = identify(port, port.pid);
  port.replaceFile(path, stringifyJson({ id, bootId: bootId(port), keeper, volumes: names }), 0o600);
  return path;
}

/** All notes, those of dead commands too. */
export function useNotes(port: Port, dataRoot: Bytes): UseNote[] {
  const directory = `${dataRoot}/volumes`;
  return port.list(directory).flatMap((name): UseNote[] => {
    if (!/^\.use-[0-9a-f]{64}$/.test(name)) return [];
    const path = `${directory}/${name}`;
    const value = parsed(port.readFile(path, RECORD_LIMIT));
    if (value === undefined || !isObject(value.keeper)) return [];
    const { pid, startTime } = value.keeper;
    const known = typeof pid === 'number' && typeof startTime === 'number' ? { pid, startTime } : undefined;
    const alive = known !== undefined && value.bootId === bootId(port) && isAlive(port, known);
    return [{ path, id: name.slice(NOTE.length), names: volumesOf(value), alive }];
  });
}

function recorded(port: Port, path: Bytes): Bytes[] {
  const value = parsed(port.readFile(path, RECORD_LIMIT));
  return value === undefined ? [] : volumesOf(value);
}

function volumesOf({ volumes }: Readonly<Record<string, unknown>>): Bytes[] {
  const names = Array.isArray(volumes) ? (volumes as unknown[]) : [];
  return names.filter((name): name is Bytes => typeof name === 'string');
}

function parsed(text: Bytes | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}
