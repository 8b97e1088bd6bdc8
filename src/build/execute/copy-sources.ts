// The sources of one COPY or ADD, found and hashed: from the context, a stage, an image, the network, or the file itself.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { contentKey, keyOf } from '../cache/key.ts';
import { errorIn } from '../dockerfile/source.ts';
import type { CopyOperation, CopySource } from '../graph/operations.ts';
import { hashFiles } from '../tree/content.ts';
import { writeNewFile } from '../tree/new-file.ts';
import { look } from '../tree/resolve.ts';
import { type Selected, type Selection, select, selectParents } from '../tree/select.ts';
import { walk } from '../tree/walk.ts';
import type { TreeWorker } from '../tree/worker.ts';
import { type BuildEnvironment, contextOf } from './environment.ts';
import type { Inputs } from './inputs.ts';
import { openOrigin } from './origin.ts';

/** A source that is ready to be copied. */
export interface ReadySource {
  readonly source: CopySource;
  readonly selected: readonly Selected[];
  /** Files keep their owners: they come from a stage, an image or an archive. */
  readonly owned: boolean;
  readonly key: string;
}

export interface ReadySources {
  readonly sources: readonly ReadySource[];
  close(): Promise<void>;
}

/** Throws CaissonError EDOCKERFILE for what is not there. */
export async function readySources(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  inputs: Inputs,
): Promise<ReadySources> {
  const needsOrigin = operation.sources.some(({ kind }) => kind === 'files');
  const origin = needsOrigin ? await openOrigin(environment, worker, operation, inputs) : undefined;
  const sources: ReadySource[] = [];
  try {
    for (const source of operation.sources) {
      sources.push(await ready(environment, worker, operation, source, origin?.root));
    }
  } catch (error) {
    await origin?.close();
    throw error;
  }
  const directories = new Set(sources.flatMap(({ selected }) => selected.map(({ directory }) => directory)));
  return {
    sources,
    close: async () => {
      await worker.shut(...directories);
      await origin?.close();
    },
  };
}

async function ready(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  source: CopySource,
  top: number | undefined,
): Promise<ReadySource> {
  switch (source.kind) {
    case 'files':
      return await fromTree(environment, worker, operation, source, top ?? -1);
    case 'inline':
      return await fromText(environment, worker, source);
    case 'url': {
      const { directory, name } = await environment.fetch(
        source.url,
        operation.checksum,
        operation.line,
        source.offset,
      );
      return await whole(worker, source, directory, name);
    }
    case 'git': {
      const { keepGitDirectory, checksum } = operation;
      const cloned = await environment.clone(source.url, { keepGitDirectory, checksum });
      const directory = await worker.openDirectory(cloned.directory);
      const found = await select(worker, directory, bytesToUtf8(cloned.subdirectory), {
        ignore: undefined,
        exclude: operation.exclude,
      });
      await worker.shut(directory);
      const [selected] = found.found;
      if (selected?.kind !== 'contents')
        throw errorIn(operation.line, source.offset, 'the subdirectory is not in the repository');
      return {
        source,
        selected: [selected],
        owned: false,
        key: keyOf('git', { commit: cloned.commit, tree: await hashOf(worker, [selected]) }),
      };
    }
  }
}

async function fromTree(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  source: Extract<CopySource, { kind: 'files' }>,
  top: number,
): Promise<ReadySource> {
  const inContext = operation.origin.kind === 'context';
  const { line } = operation;
  const selection = await selectFiles(environment, worker, operation, source, top);
  if (selection.found.length === 0) {
    if (!selection.isPattern)
      throw errorIn(line, source.offset, absent(environment, operation, source.pattern, selection.ignored));
    environment.progress.warn(`${source.pattern} matches nothing (line ${line.startLine})`);
  }
  return {
    source,
    selected: selection.found,
    owned: !inContext,
    key: await hashOf(worker, selection.found, !inContext),
  };
}

async function selectFiles(
  environment: BuildEnvironment,
  worker: TreeWorker,
  operation: CopyOperation,
  source: Extract<CopySource, { kind: 'files' }>,
  top: number,
): Promise<Selection> {
  const { exclude, line, origin, parents } = operation;
  const ignore = origin.kind === 'context' ? contextOf(environment, origin.name).ignore : undefined;
  try {
    return await (parents ? selectParents : select)(worker, top, source.pattern, { ignore, exclude });
  } catch (error) {
    if (error instanceof CaissonError) throw error;
    throw errorIn(line, source.offset, `${source.pattern}: ${error instanceof Error ? error.message : ''}`);
  }
}

function absent(
  environment: BuildEnvironment,
  { origin }: CopyOperation,
  pattern: string,
  ignored: boolean,
): string {
  if (origin.kind !== 'context') return `${pattern}: not found there`;
  const context = contextOf(environment, origin.name);
  if (ignored) return `${pattern}: not found: ${context.ignoreName} excludes it from the build context`;
  return context.directory === undefined
    ? `${pattern}: not found: this build has no context`
    : `${pattern}: not found in the build context`;
}

async function hashOf(worker: TreeWorker, selected: readonly Selected[], owned = false): Promise<string> {
  const keys: string[] = [];
  for (const { directory, entries, prefix, name, kind } of selected) {
    const digests = await hashFiles(worker, directory, entries);
    const content = contentKey(entries, digests, owned ? 'kept' : 'none');
    // What a pattern has found is named; of a directory's content the names are in the entries.
    keys.push(keyOf('selected', { prefix, name: kind === 'file' ? name : '', kind, content }));
  }
  return keyOf('source', { keys });
}

/** A file of the Dockerfile itself. */
async function fromText(
  { session }: BuildEnvironment,
  worker: TreeWorker,
  source: Extract<CopySource, { kind: 'inline' }>,
): Promise<ReadySource> {
  const room = session.room('inline');
  const name = utf8ToBytes(source.name);
  const directory = await worker.openDirectory(room);
  await writeNewFile(worker, directory, name, utf8ToBytes(source.content), 0o644);
  await worker.shut(directory);
  return await whole(worker, source, room, name);
}

/** A file that lies in a directory of the engine's. */
async function whole(worker: TreeWorker, source: CopySource, path: Bytes, name: Bytes): Promise<ReadySource> {
  const directory = await worker.openDirectory(path);
  const entry = await look(worker, directory, name);
  if (entry === undefined) throw new CaissonError(`${path}/${name} is gone`, { code: 'ENOTFOUND' });
  const selected: Selected[] = [{ directory, prefix: name, name, kind: 'file', entries: [entry] }];
  return { source, selected, owned: false, key: await hashOf(worker, selected) };
}

/** Everything below a host directory of the engine's: what an archive was unpacked into. */
export async function unpackedSource(
  worker: TreeWorker,
  source: CopySource,
  path: Bytes,
): Promise<ReadySource> {
  const directory = await worker.openDirectory(path);
  const entries = await walk(worker, directory);
  return {
    source,
    selected: [{ directory, prefix: '', name: '', kind: 'contents', entries }],
    owned: true,
    key: '',
  };
}
