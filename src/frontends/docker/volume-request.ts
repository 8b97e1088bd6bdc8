// What a flag or an image asks of a volume, and the mount that it becomes once the engine knows where the volume is.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { bindOptions, type HostAction, PROPAGATIONS } from './bind-options.ts';

/** A volume as it was asked for. */
export interface VolumeRequest {
  /** undefined for an anonymous one. */
  readonly name: Bytes | undefined;
  /** For a volume that is not there yet: docker's local driver, its options and the labels. */
  readonly driverOptions: Readonly<Record<Bytes, Bytes>>;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  /** Whether a new one begins with what the image has at its place. */
  readonly copy: boolean;
  /** A directory inside of the volume, relative; all of it without. */
  readonly subpath: Bytes | undefined;
  /** Options of the mount as they were written. */
  readonly words: readonly Bytes[];
}

/** A mount with the words that asked for it and what it asks of the host side. */
export interface RequestedMount {
  /** Of a volume: without its source, until `placeVolume`. */
  readonly mount: Mount;
  readonly source: string;
  readonly actions: readonly HostAction[];
  readonly volume?: VolumeRequest;
}

/** Where a volume is: a directory of the host, or a memory file system that each container has for itself. */
export type VolumeFact = {
  readonly name: Bytes;
} /** `own`: caisson's, whose files have the ids of containers. */ & (
  | {
      readonly kind: 'directory';
      readonly path: Bytes;
      readonly options: readonly Bytes[];
      readonly own: boolean;
    }
  | { readonly kind: 'tmpfs'; readonly options: readonly Bytes[] }
);

/** The request of a volume at `destination`. Throws RangeError for options that no volume has. */
export function requestVolume(
  destination: Bytes,
  source: string,
  volume: Partial<VolumeRequest> & { readonly name: Bytes | undefined },
): RequestedMount {
  const { words = [], driverOptions = {}, labels = {}, copy = true, subpath } = volume;
  const propagation = words.find((word) => PROPAGATIONS.includes(word));
  // docker's: nothing is mounted in a volume from outside.
  if (propagation !== undefined) throw new RangeError(`invalid mode: ${propagation}`);
  bindOptions(words, '/');
  return {
    mount: { destination, type: 'bind', options: [] },
    source,
    actions: [],
    volume: { name: volume.name, words, driverOptions, labels, copy, subpath },
  };
}

/**
 * The mount of a volume that is at `fact`; any other request as it is. `mapped`: root starts the container in a user
 * namespace, so that the ids of files must be mapped to be the container's (mount_setattr(2)).
 */
export function placeVolume(
  requested: RequestedMount,
  facts: ReadonlyMap<Bytes, VolumeFact> | undefined,
  mapped: boolean,
): RequestedMount {
  const { mount, volume, source } = requested;
  if (volume === undefined) return requested;
  const fact = facts?.get(mount.destination);
  if (fact === undefined)
    throw new CaissonError(`${source}: there are no volumes here`, {
      code: 'EUNSUPPORTED',
      sources: [source],
    });
  if (fact.kind === 'tmpfs') return placeTmpfs(requested, volume, fact.options);
  const words = merged(fact.options, volume.words);
  const maps = mapped && fact.own && !words.includes('idmap') && !words.includes('ridmap');
  const { options, actions } = bindOptions(maps ? [...words, 'idmap'] : words, fact.path);
  const own = mapped && fact.own ? { mapped } : {};
  return {
    ...requested,
    mount: { ...mount, source: fact.path, options },
    actions: actions.map((kind) => ({ kind, path: fact.path, source, ...own })),
  };
}

/** Options of the volume itself hold unless the mount says otherwise. */
function merged(own: readonly Bytes[], words: readonly Bytes[]): Bytes[] {
  const access = ['ro', 'rw', 'rro'];
  const kept = own.filter((word) => !access.includes(word) || !words.some((each) => access.includes(each)));
  return [...new Set([...kept, ...words])];
}

function placeTmpfs(
  requested: RequestedMount,
  { subpath, words }: VolumeRequest,
  options: readonly Bytes[],
): RequestedMount {
  const { mount, source } = requested;
  if (subpath !== undefined) {
    throw new CaissonError(
      `${source}: a volume of type tmpfs is empty at first: there is no ${subpath} in it`,
      {
        code: 'EUSAGE',
        sources: [source],
      },
    );
  }
  const readOnly = words.some((word) => word === 'ro' || word === 'rro');
  const own = [...options, ...words.filter((word) => ['noexec', 'suid', 'dev'].includes(word))];
  const flags = ['nosuid', 'nodev'].filter((word) => !own.includes(word) && !own.includes(word.slice(2)));
  const rest = own.filter((word) => word !== 'suid' && word !== 'dev');
  return {
    ...requested,
    mount: {
      ...mount,
      type: 'tmpfs',
      source: 'tmpfs',
      options: [...new Set([...flags, ...rest, ...(readOnly ? ['ro'] : [])])],
    },
  };
}
