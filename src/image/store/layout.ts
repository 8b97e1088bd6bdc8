// The directory of a store: made, recognised, and brought up to the format that this caisson knows.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_INDEX } from '../../spec/media-types.ts';
import { parentOf, readText, replaceDurably } from './durable.ts';
import type { StoreKernel, StoreLock } from './kernel.ts';
import { ALGORITHMS, type StorePaths } from './paths.ts';
import { keepReserve } from './reserve.ts';

/** Brings a store of one format to the next. It may be killed at any moment, and is then played again from the start. */
export type Upgrade = (disk: Disk, paths: StorePaths) => Promise<void>;

/** The formats that a caisson knows. */
export interface Formats {
  /** What it writes. A store of a newer one is refused. */
  readonly current: number;
  /** By the number of the older format: what makes the next one of it. */
  readonly upgrades: ReadonlyMap<number, Upgrade>;
}

/** 1: the first. */
export const FORMATS: Formats = { current: 1, upgrades: new Map() };

/** S_IWGRP | S_IWOTH of inode(7). */
const OTHERS_WRITE = 0o022;

const EMPTY_INDEX = stringifyJson({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
const LAYOUT = stringifyJson({ imageLayoutVersion: '1.0.0' });

/** What a store is opened with. */
export interface Opening {
  readonly disk: Disk;
  readonly kernel: StoreKernel;
  readonly paths: StorePaths;
  readonly uid: number;
  readonly formats: Formats;
  readonly waiting: (what: string) => void;
}

/**
 * Opens the store's directory and locks it: shared, so that no garbage is collected meanwhile. A new one is made, an
 * older one brought to today's format. Throws CaissonError `EPERMISSION` when others may write to it, and `ESTORE` when
 * it is no store or one of a newer caisson; nothing has been written then.
 */
export async function openLayout(opening: Opening): Promise<StoreLock> {
  const { disk, kernel, paths, uid, formats, waiting } = opening;
  const found = examine(disk, paths, uid, formats);
  if (found === undefined) await makeDirectories(disk, paths);
  if (found === formats.current) remakeDirectories(disk, paths);
  else await bringUp(opening);
  const lock = await kernel.lock(paths.storeLock, 'shared', {
    waiting: () => {
      waiting(`another caisson collects garbage in ${paths.root}`);
    },
  });
  if (lock === undefined) throw new CaissonError(`${paths.storeLock} is locked`, { code: 'ELOCKED' });
  // Between the look and the lock a newer caisson may have come by.
  readFormat(disk, paths, formats);
  return lock;
}

/** The format of the store that is there; undefined when there is none yet. Writes nothing. */
function examine(disk: Disk, paths: StorePaths, uid: number, formats: Formats): number | undefined {
  const named = disk.stat(paths.root);
  if (named === undefined) return undefined;
  // A link may lead there that nobody but root or this user can change.
  const stat = disk.stat(`${paths.root}/.`);
  const trusted = named.type === 'directory' || named.uid === uid || named.uid === 0;
  if (stat === undefined || !trusted || stat.uid !== uid || (stat.mode & OTHERS_WRITE) !== 0) {
    throw new CaissonError(`${paths.root} is not a directory that only you can write to`, {
      code: 'EPERMISSION',
      details: ['give it to you and take write permission from others, or choose another with --data-root'],
    });
  }
  const format = readFormat(disk, paths, formats);
  if (format !== undefined || !isForeign(disk, paths)) return format;
  // Unless somebody has made it a store between the two looks, and used it.
  return readFormat(disk, paths, formats) ?? refuseForeign(paths);
}

function readFormat(disk: Disk, paths: StorePaths, formats: Formats): number | undefined {
  const text = readText(disk, paths.format, 64);
  if (text === undefined) return undefined;
  const match = /^([1-9][0-9]{0,8})\n$/.exec(text);
  if (match === null) {
    throw new CaissonError(`${paths.format} is damaged: expected a number and a new line`, {
      code: 'ESTORE',
      details: [`where this caisson made the store, put ${formats.current} and a new line there`],
    });
  }
  const format = Number(match[1]);
  if (format > formats.current) {
    throw new CaissonError(
      `${paths.root} was written by a newer caisson (format ${format}, this one knows ${formats.current})`,
      { code: 'ESTORE', details: ['use that one, or choose another directory with --data-root'] },
    );
  }
  return format;
}

/** What may be there before a store has its format: what is made before that, and what other parts of caisson keep beside it. */
const BEGUN: readonly Bytes[] = [
  ...['oci-layout', 'index.json', 'blobs', 'ingest', 'layers', 'pins', 'quarantine', 'locks', 'reserve'],
  ...['oci-layout.tmp', 'index.json.tmp', 'format.tmp', 'manifests', 'containers', 'build', 'volumes'],
  ...['names', 'events'],
];

function isForeign(disk: Disk, paths: StorePaths): boolean {
  const names = disk.list(paths.root) ?? [];
  const foreign = names.some(({ name }) => !BEGUN.includes(name));
  return (
    foreign || ALGORITHMS.some((algorithm) => (disk.list(`${paths.blobs}/${algorithm}`) ?? []).length > 0)
  );
}

/** A directory with other things in it, an image layout of another tool among them, is not taken over. */
function refuseForeign(paths: StorePaths): never {
  throw new CaissonError(`${paths.root} is not a store of caisson, and not empty`, {
    code: 'ESTORE',
    details: ['choose another directory with --data-root; `caisson load` takes images from OCI layouts'],
  });
}

/** Directories that can be missed: somebody has tidied up. What was in them is missed as any other loss. */
function remakeDirectories(disk: Disk, paths: StorePaths): void {
  const algorithms = ALGORITHMS.map((algorithm) => `${paths.blobs}/${algorithm}`);
  for (const directory of [...directoriesOf(paths), ...algorithms])
    if (disk.stat(directory) === undefined) disk.makeDirectory(directory, 0o700);
}

function directoriesOf(paths: StorePaths): Bytes[] {
  return [paths.blobs, paths.ingest, paths.layers, paths.pins, paths.quarantine, paths.locks];
}

/** Parents as others have made theirs, the store itself for its owner alone. */
async function makeDirectories(disk: Disk, paths: StorePaths): Promise<void> {
  await makeParents(disk, parentOf(paths.root));
  disk.makeDirectory(paths.root, 0o700);
  disk.makeDirectory(paths.locks, 0o700);
}

async function makeParents(disk: Disk, path: Bytes): Promise<void> {
  if (path === '/' || disk.stat(path) !== undefined) return;
  await makeParents(disk, parentOf(path));
  if (disk.makeDirectory(path, 0o755)) await disk.syncDirectory(parentOf(path));
}

/** How long a look for others lasts before the format is looked at again, in milliseconds. */
const LOOK = 50;

/**
 * Makes what is missing and upgrades what is old, while nobody else uses the store. The format is written last. Who
 * comes at the same time finds it done, for whoever did it may hold the store for long.
 */
async function bringUp(opening: Opening): Promise<void> {
  const { disk, kernel, paths, formats, waiting } = opening;
  disk.makeDirectory(paths.locks, 0o700);
  for (let tries = 0; readFormat(disk, paths, formats) !== formats.current; tries++) {
    if (tries === 1) waiting(`another caisson uses ${paths.root}, whose format must be changed`);
    const lock = await kernel.lock(paths.storeLock, 'exclusive', { patience: LOOK });
    if (lock === undefined) continue;
    try {
      const format = readFormat(disk, paths, formats);
      if (format === undefined) await complete(disk, paths, formats);
      else await upgrade(disk, paths, format, formats);
    } finally {
      await lock.release();
    }
  }
}

async function complete(disk: Disk, paths: StorePaths, formats: Formats): Promise<void> {
  if (isForeign(disk, paths)) refuseForeign(paths);
  for (const directory of directoriesOf(paths)) disk.makeDirectory(directory, 0o700);
  for (const algorithm of ALGORITHMS) disk.makeDirectory(`${paths.blobs}/${algorithm}`, 0o700);
  await disk.syncDirectory(paths.blobs);
  await replaceDurably(disk, paths.layout, LAYOUT);
  await replaceDurably(disk, paths.index, EMPTY_INDEX);
  await replaceDurably(disk, paths.format, `${formats.current}\n`);
  await disk.syncDirectory(parentOf(paths.root));
  keepReserve(disk, paths);
}

async function upgrade(disk: Disk, paths: StorePaths, from: number, formats: Formats): Promise<void> {
  for (let format = from; format < formats.current; format++) {
    const step = formats.upgrades.get(format);
    if (step === undefined) {
      throw new CaissonError(`${paths.root} has format ${format}, which this caisson cannot upgrade`, {
        code: 'ESTORE',
      });
    }
    await step(disk, paths);
    await replaceDurably(disk, paths.format, `${format + 1}\n`);
  }
}
