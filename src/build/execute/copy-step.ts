// Carries out COPY and ADD: into a view of the stage's layers whose changes become the next layer.
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import * as sys from '../../plan/syscalls.ts';
import { CaissonError } from '../../spec/error.ts';
import type { CopyOperation } from '../graph/operations.ts';
import { changedMode } from '../mode.ts';
import { type CopyItem, copyFiles } from '../tree/copy.ts';
import { makeDirectories, type Owner } from '../tree/directories.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { follow } from '../tree/resolve.ts';
import type { Selected } from '../tree/select.ts';
import { removeWork } from '../tree/view.ts';
import type { TreeWorker } from '../tree/worker.ts';
import { isArchive, unpackArchive } from './archive.ts';
import { type ReadySource, unpackedSource } from './copy-sources.ts';
import type { BuildEnvironment } from './environment.ts';
import { openStage } from './host-stage.ts';
import type { ResultLayer } from './result.ts';
import { resolveOwner } from './users.ts';

const ROOT: Owner = { uid: 0, gid: 0 };

/** Copies into `directory`, an empty room: `upper` below it takes the changes. Throws CaissonError. */
export async function copyStep(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  sources: readonly ReadySource[],
  layers: readonly ResultLayer[],
  directory: Bytes,
): Promise<void> {
  const view = await openStage(environment, worker, layers, directory);
  try {
    const owner = operation.owner === '' ? undefined : await resolveOwner(worker, view.root, operation.owner);
    if (
      await unpackedInPlace(environment, worker, operation, sources, { layers, directory, root: view.root })
    )
      return;
    for (const source of sources) {
      const unpacked = await unpackedOf(environment, worker, operation, source);
      for (const selected of unpacked.selected)
        await copySelected(
          worker,
          operation,
          { ...unpacked, selected: [selected] },
          selected,
          view.root,
          owner,
        );
      if (unpacked !== source) await worker.shut(...unpacked.selected.map((each) => each.directory));
    }
  } finally {
    await view.close();
    await removeWork(worker, directory);
  }
}

/** Where nothing is below and nothing is changed, the archive of a root is unpacked where its files belong. */
async function unpackedInPlace(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  sources: readonly ReadySource[],
  to: { readonly layers: readonly ResultLayer[]; readonly directory: Bytes; readonly root: number },
): Promise<boolean> {
  const [source, more] = sources;
  const { destination, owner, mode } = operation;
  const plain = destination === '/' && owner === '' && mode === '' && to.layers.length === 0;
  if (!plain || source === undefined || more !== undefined) return false;
  const archive = await archiveOf(environment, worker, operation, source);
  if (archive === undefined) return false;
  await unpackArchive(environment, worker, archive.directory, archive.entry, `${to.directory}/upper`);
  // What an archive says of `.` is nothing that COPY takes over.
  await worker.play('give the root its usual look', [sys.fchown(to.root, 0, 0), sys.fchmod(to.root, 0o755)]);
  return true;
}

/** The file, where it is an archive that ADD is to unpack. */
async function archiveOf(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  ready: ReadySource,
): Promise<{ readonly directory: number; readonly entry: TreeEntry } | undefined> {
  const [selected, more] = ready.selected;
  const wanted = operation.unpack ?? (operation.add && ready.source.kind === 'files');
  if (!wanted || !operation.add || selected?.kind !== 'file' || more !== undefined) return undefined;
  const [entry] = selected.entries;
  const { directory } = selected;
  if (entry?.type !== 'file') return undefined;
  return (await isArchive(environment, worker, directory, entry)) ? { directory, entry } : undefined;
}

/** An archive that ADD is to unpack gives its files instead of itself. */
async function unpackedOf(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  ready: ReadySource,
): Promise<ReadySource> {
  const archive = await archiveOf(environment, worker, operation, ready);
  if (archive === undefined) return ready;
  const { directory, entry } = archive;
  const room = environment.session.room('archive');
  await unpackArchive(environment, worker, directory, entry, room);
  return await unpackedSource(worker, ready.source, room);
}

async function copySelected(
  worker: TreeWorker,
  operation: CopyOperation,
  ready: ReadySource,
  selected: Selected,
  root: number,
  given: Owner | undefined,
): Promise<void> {
  const owner = given ?? (ready.owned ? undefined : ROOT);
  const path = utf8ToBytes(operation.destination);
  const there = await follow(worker, root, path);
  const intoDirectory = path.endsWith('/') || there?.type === 'directory';
  const isFile = selected.kind === 'file';
  const parent = isFile && !intoDirectory ? path.slice(0, path.lastIndexOf('/')) : path;
  if (!isFile && there !== undefined && there.type !== 'directory')
    throw new CaissonError(`${path} is no directory, and a directory is copied there`, { code: 'ECOPY' });
  // Symbols change what is there; a directory that is made has the usual mode.
  const mode = /^[0-7]+$/.test(operation.mode) ? changedMode(operation.mode, 0o755, true) : 0o755;
  const to = await makeDirectories(worker, root, parent, mode, given ?? ROOT);
  const name = intoDirectory ? selected.name : path.slice(path.lastIndexOf('/') + 1);
  const items = selected.entries.map((entry): CopyItem => {
    if (isFile) return { entry, to: name };
    const cut = selected.prefix === '' ? 0 : selected.prefix.length + 1;
    return { entry, to: entry.path.slice(cut) };
  });
  try {
    await copyFiles(worker, items, { from: selected.directory, to, owner, mode: operation.mode });
  } finally {
    await worker.shut(to);
  }
}
