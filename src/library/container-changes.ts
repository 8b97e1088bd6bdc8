// The files of a container of the library: what it has changed, images and archives of it, copies in and out.
import type { Engine as OpenedEngine } from '../engine/containers/engine.ts';
import type { Shop } from '../engine/images/shop.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { encoded } from './text.ts';

/** A path that a container has added, changed or deleted, as `docker diff` lists it. */
export interface FileChange {
  readonly kind: 'added' | 'changed' | 'deleted';
  /** Absolute in the container. */
  readonly path: string;
}

/** What `commit` takes. */
export interface CommitChoice {
  /** A name for the image, with or without a tag. */
  readonly name?: string;
  readonly author?: string;
  readonly message?: string;
  /** Instructions of a Dockerfile that alter its configuration, `ENV A=b`. */
  readonly changes?: readonly string[];
  /** Whether a container that runs stands still meanwhile (default true). */
  readonly pause?: boolean;
}

/** What `copyIn` and `copyOut` take. */
export interface CopyChoice {
  /** Owners stay; otherwise files in a container are root's, and those of the host the caller's. */
  readonly archive?: boolean;
  /** A link at the end of the source is followed. */
  readonly followLink?: boolean;
}

type GiveTo = (sink: (archive: AsyncIterable<Uint8Array>) => Promise<void>) => Promise<void>;

/**
 * What is given to a sink, to be iterated: the giver waits (and holds its locks) until the last piece has been taken, or
 * the iteration is left.
 */
export async function* taken(give: GiveTo): AsyncGenerator<Uint8Array> {
  let open: (archive: AsyncIterable<Uint8Array>) => void = () => undefined;
  let release: () => void = () => undefined;
  const opened = new Promise<AsyncIterable<Uint8Array>>((resolve) => {
    open = resolve;
  });
  const finished = new Promise<void>((resolve) => {
    release = resolve;
  });
  const given = give(async (archive) => {
    open(archive);
    await finished;
  });
  try {
    const archive = await Promise.race([opened, given.then(() => undefined)]);
    if (archive !== undefined) yield* archive;
  } finally {
    release();
    await given;
  }
}

const KINDS = { A: 'added', C: 'changed', D: 'deleted' } as const;

function inShop({ port, dataRoot }: OpenedEngine) {
  return async <T>(work: (shop: Shop) => Promise<T>): Promise<T> => {
    const { withShop } = await import('../engine/images/shop.ts');
    return await withShop(port, { dataRoot }, work);
  };
}

/** Throws CaissonError `ENOTFOUND`, and `EUNSUPPORTED` for an ordinary user's container of `host`. */
export async function changesOf(engine: OpenedEngine, id: string): Promise<FileChange[]> {
  const { changesByName } = await import('../engine/containers/changes.ts');
  const changes = await changesByName(engine, id, inShop(engine));
  return changes.map(({ kind, path }) => ({ kind: KINDS[kind], path: bytesToUtf8(path) }));
}

/** The result is the ID of the new image. */
export async function committed(engine: OpenedEngine, id: string, choice: CommitChoice): Promise<string> {
  const [{ commitByName }, { newName }] = await Promise.all([
    import('../engine/containers/changes.ts'),
    import('../engine/images/new-image.ts'),
  ]);
  const options = {
    name: newName(encoded(choice.name)),
    author: encoded(choice.author),
    message: encoded(choice.message),
    changes: (choice.changes ?? []).map(utf8ToBytes),
    pause: choice.pause ?? true,
  };
  return await commitByName(engine, id, options, inShop(engine));
}

/** All files of a container without what is mounted in it. */
export async function* exported(engine: OpenedEngine, id: string): AsyncGenerator<Uint8Array> {
  const { exportByName } = await import('../engine/containers/changes.ts');
  yield* taken((sink) => exportByName(engine, id, sink));
}

/** What is at a path of a container, as an archive. */
export async function* archived(
  engine: OpenedEngine,
  id: string,
  path: string,
  { followLink = false }: CopyChoice,
): AsyncGenerator<Uint8Array> {
  const { copyToStream } = await import('../engine/containers/copy.ts');
  yield* taken((sink) => copyToStream(engine, id, utf8ToBytes(path), { followLink }, sink));
}

/** Bytes of the archive that was read. */
export async function unpacked(
  engine: OpenedEngine,
  id: string,
  path: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<number> {
  const { copyFromStream } = await import('../engine/containers/copy.ts');
  return await copyFromStream(engine, id, utf8ToBytes(path), archive);
}

/** A copy as `cp` makes it, in one of the two directions. */
export async function copied(
  engine: OpenedEngine,
  id: string,
  direction: 'in' | 'out',
  [from, to]: readonly [string, string],
  { archive = false, followLink = false }: CopyChoice,
): Promise<void> {
  const { copyFromHost, copyToHost } = await import('../engine/containers/copy.ts');
  const [source, target]: [Bytes, Bytes] = [utf8ToBytes(from), utf8ToBytes(to)];
  if (direction === 'in') await copyFromHost(engine, source, id, target, { archive, followLink });
  else await copyToHost(engine, id, source, target, { archive, followLink });
}
