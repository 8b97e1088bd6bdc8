// The directory of a store: made, recognised, and brought up to the format that this caisson knows.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_INDEX } from '../../spec/media-types.ts';
import { parentOf, readText, replaceDurably } from './durable.ts';
import type { StoreKernel, StoreLock } from './kernel.ts';
import { ALGORITHMS, type StorePaths } from './paths.ts';

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

/**
 * Opens the store's directory and locks it: shared, so that no garbage is collected meanwhile. A new one is made, an
 * older one brought to today's format. Throws CaissonError `EPERMISSION` when others may write to it, and `ESTORE` when
 * it is no store or one of a newer caisson; nothing has been written then.
 */
export async function openLayout(
  disk: Disk,
  kernel: StoreKernel,
  paths: StorePaths,
  uid: number,
  formats: Formats = FORMATS,
): Promise<StoreLock> {
  const found = examine(disk, paths, uid, formats);
  if (found === undefined) await makeDirectories(disk, paths);
  if (found !== formats.current) await bringUp(disk, kernel, paths, formats);
  const lock = await lockStore(kernel, paths, 'shared');
  // Between the look and the lock a newer caisson may have come by.
  readFormat(disk, paths, formats);
  return lock;
}

async function lockStore(
  kernel: StoreKernel,
  paths: StorePaths,
  kind: 'shared' | 'exclusive',
): Promise<StoreLock> {
  const lock = await kernel.lock(paths.storeLock, kind);
  if (lock === undefined) throw new CaissonError(`${paths.storeLock} is locked`, { code: 'ELOCKED' });
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
  if (format === undefined) refuseForeign(disk, paths);
  return format;
}

function readFormat(disk: Disk, paths: StorePaths, formats: Formats): number | undefined {
  const text = readText(disk, paths.format, 64);
  if (text === undefined) return undefined;
  const match = /^([1-9][0-9]{0,8})\n$/.exec(text);
  if (match === null) {
    throw new CaissonError(`${paths.format} is damaged: expected a number and a new line`, {
      code: 'ESTORE',
      details: [`this caisson writes format ${formats.current}; \`caisson image verify\` tells what is left`],
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

/** What is there before a store has its format: nothing else, and no image. */
const BEGUN: readonly Bytes[] = ['oci-layout', 'index.json', 'blobs', 'ingest', 'layers', 'pins'];
const BEGUN_TOO: readonly Bytes[] = ['quarantine', 'locks', 'oci-layout.tmp', 'index.json.tmp', 'format.tmp'];

/** A directory with other things in it, an image layout of another tool among them, is not taken over. */
function refuseForeign(disk: Disk, paths: StorePaths): void {
  const names = disk.list(paths.root) ?? [];
  const foreign = names.find(({ name }) => !BEGUN.includes(name) && !BEGUN_TOO.includes(name));
  const blobs = ALGORITHMS.flatMap((algorithm) => disk.list(`${paths.blobs}/${algorithm}`) ?? []);
  if (foreign === undefined && blobs.length === 0) return;
  throw new CaissonError(`${paths.root} is not a store of caisson, and not empty`, {
    code: 'ESTORE',
    details: ['choose another directory with --data-root; `caisson load` takes images from OCI layouts'],
  });
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

/** Makes what is missing and upgrades what is old, while nobody else uses the store. The format is written last. */
async function bringUp(disk: Disk, kernel: StoreKernel, paths: StorePaths, formats: Formats): Promise<void> {
  disk.makeDirectory(paths.locks, 0o700);
  const lock = await lockStore(kernel, paths, 'exclusive');
  try {
    const format = readFormat(disk, paths, formats);
    if (format === undefined) await complete(disk, paths, formats);
    else await upgrade(disk, paths, format, formats);
  } finally {
    await lock.release();
  }
}

async function complete(disk: Disk, paths: StorePaths, formats: Formats): Promise<void> {
  refuseForeign(disk, paths);
  for (const directory of [paths.blobs, paths.ingest, paths.layers, paths.pins, paths.quarantine])
    disk.makeDirectory(directory, 0o700);
  for (const algorithm of ALGORITHMS) disk.makeDirectory(`${paths.blobs}/${algorithm}`, 0o700);
  await disk.syncDirectory(paths.blobs);
  await replaceDurably(disk, paths.layout, LAYOUT);
  await replaceDurably(disk, paths.index, EMPTY_INDEX);
  await replaceDurably(disk, paths.format, `${formats.current}\n`);
  await disk.syncDirectory(parentOf(paths.root));
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
