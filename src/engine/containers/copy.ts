// `cp`: files between the host and a container, whether it runs or not.
//
// On both sides a launcher does all that touches a path: in the container's root, by openat2(RESOLVE_IN_ROOT), and on the
// host with the caller's ids. What goes between them is a tar stream that TypeScript reads and renames; it never opens
// a path (CVE-2018-15664, CVE-2019-10152, CVE-2026-41567).
import type { Port } from '../../host/port.ts';
import { Extractor } from '../../image/extract.ts';
import type { ExtractOptions } from '../../image/extract-options.ts';
import { openTarget } from '../../image/extract-target.ts';
import { inPieces } from '../../image/layer/compress.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { type TarEntry, type TarEvent, TarReader } from '../../image/tar.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type CopyDestination, pathArgument, placementOf, refusedCopy } from './copy-rules.ts';
import { containerTree, openSource, type Tree } from './copy-source.ts';
import type { Engine } from './engine.ts';
import { type ContainerFiles, findOwner, withContainerFiles } from './files.ts';
import { type Located, Lookup } from './lookup.ts';

export interface CopyOptions {
  /** `-a`: owners stay; otherwise files of a container are root's, and those of the host the caller's. */
  readonly archive: boolean;
  /** `-L`: a link at the end of the source is followed. */
  readonly followLink: boolean;
}

const PIECE = 256 << 10;
const NO_DEVICES: ReadonlySet<string> = new Set();

/** Gives what is at a path of a container to `sink`, as an archive. Throws CaissonError `ENOTFOUND`. */
export async function copyToStream(
  engine: Engine,
  container: Bytes,
  path: Bytes,
  { followLink }: Pick<CopyOptions, 'followLink'>,
  sink: (archive: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const owner = await findOwner(engine, container);
  await withContainerFiles(engine, owner, async (files) => {
    const tree = await containerTree(files);
    const argument = pathArgument(path, '/');
    const source = await openSource(tree, argument, followLink, () => notThere(container, path));
    await sink(source.archive(source.contents || source.name === '/' ? '.' : source.name));
  });
}

/** Unpacks an archive into a directory of a container. The result is the bytes that were read. Throws CaissonError. */
export async function copyFromStream(
  engine: Engine,
  container: Bytes,
  path: Bytes,
  content: AsyncIterable<Uint8Array>,
): Promise<number> {
  const owner = await findOwner(engine, container);
  return await withContainerFiles(engine, owner, async (files) => {
    refuseReadOnly(files);
    const { lookup } = await containerTree(files);
    const located = await lookup.locate(pathArgument(path, '/').path, true);
    if (located.node === undefined) throw notThere(container, path);
    if (located.node.type !== 'directory')
      throw refusedCopy(`destination "${container}:${path}" must be a directory`);
    return await unpack(files, lookup, located.path, content, (entry) => entry);
  });
}

/** Copies from a container to the host. The result is the bytes of the archive in between. Throws CaissonError. */
export async function copyToHost(
  engine: Engine,
  container: Bytes,
  from: Bytes,
  to: Bytes,
  options: CopyOptions,
): Promise<number> {
  const { port } = engine;
  const owner = await findOwner(engine, container);
  return await withContainerFiles(engine, owner, async (files) => {
    const missing = () => notThere(container, from);
    const source = await openSource(
      await containerTree(files),
      pathArgument(from, '/'),
      options.followLink,
      missing,
    );
    return await onHost(port, async (host) => {
      const argument = pathArgument(to, port.cwd);
      const destination = await destinationOf(host.lookup, argument.path, argument.wantsDirectory);
      const placed = placementOf(source, destination);
      if (!(await isDirectory(host.lookup, placed.directory))) {
        throw refusedCopy(`invalid output path: directory "${placed.directory}" does not exist`);
      }
      const keeps = options.archive && port.uid === 0;
      const rights = { owners: keeps ? ({ kind: 'keep' } as const) : ({ kind: 'squash' } as const) };
      const into = { port, conversation: host.conversation, rights: { ...rights, devices: keeps } };
      return await unpack(into, host.lookup, placed.directory, source.archive(placed.name), (entry) => entry);
    });
  });
}

/** Copies from the host to a container. The result is the bytes of the archive in between. Throws CaissonError. */
export async function copyFromHost(
  engine: Engine,
  from: Bytes,
  container: Bytes,
  to: Bytes,
  options: CopyOptions,
): Promise<number> {
  const { port } = engine;
  const owner = await findOwner(engine, container);
  return await onHost(port, async (host) => {
    const missing = () =>
      new CaissonError(`lstat ${from}: no such file or directory`, { code: 'ENOTFOUND', exitCode: 1 });
    const source = await openSource(host, pathArgument(from, port.cwd), options.followLink, missing);
    return await withContainerFiles(engine, owner, async (files) => {
      refuseReadOnly(files);
      const { lookup } = await containerTree(files);
      const argument = pathArgument(to, '/');
      const destination = await destinationOf(lookup, argument.path, argument.wantsDirectory);
      const placed = placementOf(source, destination);
      if (!(await isDirectory(lookup, placed.directory))) throw notThere(container, to);
      const rename = options.archive ? (entry: TarEntry) => entry : ofRoot;
      return await unpack(files, lookup, placed.directory, source.archive(placed.name), rename);
    });
  });
}

function ofRoot(entry: TarEntry): TarEntry {
  return { ...entry, uid: 0, gid: 0 };
}

async function destinationOf(lookup: Lookup, path: Bytes, wantsDirectory: boolean): Promise<CopyDestination> {
  const located: Located = await lookup.locate(path, true);
  const { node, parent, name } = located;
  return {
    exists: node !== undefined,
    isDirectory: node?.type === 'directory',
    wantsDirectory,
    path: located.path,
    parent,
    name,
  };
}

async function isDirectory(lookup: Lookup, path: Bytes): Promise<boolean> {
  return (await lookup.look(path, true))?.type === 'directory';
}

function refuseReadOnly({ readOnly }: ContainerFiles): void {
  if (!readOnly) return;
  throw new CaissonError('container rootfs is marked read-only', { code: 'EROFS', exitCode: 1 });
}

function notThere(container: Bytes, path: Bytes): CaissonError {
  return new CaissonError(`Could not find the file ${path} in container ${container}`, {
    code: 'ENOTFOUND',
    exitCode: 1,
  });
}

/** A launcher on the host with the caller's ids, and nothing more than that. */
async function onHost<T>(port: Port, work: (tree: Tree) => Promise<T>): Promise<T> {
  const channel = await port.openChannel({ noInput: true, concurrent: true });
  try {
    const conversation = new Conversation(channel, 'cp');
    // For umask 0: modes are those of the source.
    await openTarget(conversation, new TreeCalls(port.arch), '/', { confine: false, fresh: false });
    const lookup = Lookup.onHost(conversation, port.arch);
    return await work({ conversation, lookup, arch: port.arch, kernelDevices: NO_DEVICES });
  } finally {
    await channel.close();
  }
}

interface Writable extends Pick<ContainerFiles, 'port' | 'conversation'> {
  readonly rights: Pick<ExtractOptions, 'owners' | 'devices'>;
}

/** Unpacks below a directory that is looked up once, and held. The result is the bytes of the archive. */
async function unpack(
  { port, conversation, rights }: Writable,
  lookup: Lookup,
  directory: Bytes,
  content: AsyncIterable<Uint8Array>,
  change: (entry: TarEntry) => TarEntry,
): Promise<number> {
  const target = await lookup.open(directory);
  const { owners, devices } = rights;
  const options = { cause: 'cp', owners, devices, keepKinds: true };
  const extractor = new Extractor(conversation, target, port.arch, options);
  const reader = new TarReader();
  let size = 0;
  for await (const chunk of inPieces(content, PIECE)) {
    size += chunk.length;
    await extractor.take(chunk, changed(reader.push(chunk), change));
  }
  reader.finish();
  await extractor.finish();
  return size;
}

function* changed(events: Iterable<TarEvent>, change: (entry: TarEntry) => TarEntry): Generator<TarEvent> {
  for (const event of events)
    yield event.kind === 'entry' ? { kind: 'entry', entry: change(event.entry) } : event;
}
