// Pins: what must not be collected although no name leads to it, because a container, a build cache or anybody else uses it.
//
// A pin is a small file pins/<owner>/<id>. Whoever uses an image writes one before the use and removes it afterwards; a
// container does so under its id, with the record of the container as owner of the truth (docs/store.md).
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { type Descriptor, parseDescriptor } from '../../spec/descriptor.ts';
import { type Digest, isDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import type { StoreContext } from './blobs.ts';
import { readText, replaceDurably } from './durable.ts';
import { ALGORITHMS, type StorePaths } from './paths.ts';

/** What a pin keeps. */
export interface Pin {
  /** Manifests or indexes, with all that belongs to them. */
  readonly images?: readonly Descriptor[];
  /** Chain IDs of unpacked layers; those below are kept with them. */
  readonly layers?: readonly Digest[];
  /** Chain IDs of unpacked layers whose files are needed, and not those below. Of `keep` alone: no file of a pin has it. */
  readonly trees?: readonly Digest[];
  /** Single blobs. */
  readonly blobs?: readonly Digest[];
}

export interface NamedPin extends Pin {
  /** `containers`, `build` */
  readonly owner: Bytes;
  readonly id: Bytes;
}

const PIN_LIMIT = 8 << 20;
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}$/;

export class Pins {
  private readonly context: StoreContext;

  constructor(context: StoreContext) {
    this.context = context;
  }

  /** Writes a pin durably, over an earlier one. Two programs must not write the same one at the same time. */
  async set(owner: Bytes, id: Bytes, pin: Pin): Promise<void> {
    const path = pinPath(this.context.paths, owner, id);
    const leave = await this.context.gate.enter();
    try {
      await this.write(owner, path, pin);
    } finally {
      leave();
    }
  }

  private async write(owner: Bytes, path: Bytes, pin: Pin): Promise<void> {
    const { disk, paths } = this.context;
    if (disk.makeDirectory(`${paths.pins}/${owner}`, 0o700)) await disk.syncDirectory(paths.pins);
    // What it keeps may have names that are not on the disk yet.
    for (const algorithm of ALGORITHMS) await disk.syncDirectory(`${paths.blobs}/${algorithm}`);
    await disk.syncDirectory(paths.layers);
    await replaceDurably(disk, path, stringifyJson(pin));
  }

  /** Removes a pin; false when there was none. */
  remove(owner: Bytes, id: Bytes): boolean {
    const { disk, paths } = this.context;
    return disk.remove(pinPath(paths, owner, id));
  }

  /** All pins. Throws CaissonError `ESTORE` for a damaged one, for nobody knows what it keeps. */
  list(): NamedPin[] {
    const { disk, paths } = this.context;
    return pinFiles(disk, paths).map(({ owner, id, path }) => ({ owner, id, ...readPin(disk, path) }));
  }
}

function pinPath(paths: StorePaths, owner: Bytes, id: Bytes): Bytes {
  for (const part of [owner, id]) {
    if (PART.test(part) && !part.endsWith('.tmp')) continue;
    throw new CaissonError(`${JSON.stringify(part)} is not a name of a pin`, { code: 'EUSAGE' });
  }
  return `${paths.pins}/${owner}/${id}`;
}

/** The files of all pins; half-written ones are none. */
export function pinFiles(
  disk: Disk,
  paths: StorePaths,
): { readonly owner: Bytes; readonly id: Bytes; readonly path: Bytes }[] {
  return (disk.list(paths.pins) ?? []).flatMap(({ name: owner, type }) => {
    if (type !== 'directory') return [];
    const directory = `${paths.pins}/${owner}`;
    const ids = (disk.list(directory) ?? []).filter(({ name }) => !name.endsWith('.tmp'));
    return ids.map(({ name: id }) => ({ owner, id, path: `${directory}/${id}` }));
  });
}

/** Throws CaissonError `ESTORE` for a damaged pin. */
export function readPin(disk: Disk, path: Bytes): Pin {
  try {
    const value = parseJson(readText(disk, path, PIN_LIMIT) ?? '{}', path);
    if (!isObject(value)) throw new CaissonError('expected an object', { code: 'ESTORE' });
    const list = (name: string): readonly unknown[] => {
      const items = value[name] ?? [];
      if (Array.isArray(items)) return items;
      throw new CaissonError(`/${name}: expected an array`, { code: 'ESTORE' });
    };
    return {
      images: list('images').map((one, index) => parseDescriptor(one, `/images/${index}`)),
      layers: list('layers').map(digestOrThrow),
      blobs: list('blobs').map(digestOrThrow),
    };
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw new CaissonError(`${path} is damaged: ${error.message}`, {
      code: 'ESTORE',
      details: ['`caisson image verify` sets it aside'],
    });
  }
}

function digestOrThrow(value: unknown): Digest {
  if (typeof value === 'string' && isDigest(value)) return value;
  throw new CaissonError('expected a digest', { code: 'ESTORE' });
}
