// Keys of the cache: a hash over everything that the result of an operation depends on.
//
// As BuildKit's: the chain of what came before, the whole operation with its environment, and the content of the files
// that it reads, but not their times. A key leaves nothing out and knows where each part ends (CVE-2024-24557: Docker's
// classic builder compared less than it built from).
import { createHash } from 'node:crypto';
import type { Bytes } from '../../linux/bytes.ts';
import { utf8ToBytes } from '../../linux/bytes.ts';
import type { CopyOperation, Operation, RunOperation } from '../graph/operations.ts';
import type { TreeEntry } from '../tree/entry.ts';

/** Changes when the same operation is to give another result. */
const VERSION = 1;

type Part =
  | string
  | number
  | boolean
  | undefined
  | null
  | readonly Part[]
  | { readonly [name: string]: Part };

/** 64 hexadecimal digits. */
export function keyOf(kind: string, parts: { readonly [name: string]: Part }): string {
  return createHash('sha256')
    .update(JSON.stringify([VERSION, kind, sorted(parts)]))
    .digest('hex');
}

/** Names in one order. */
function sorted(part: Part): Part {
  if (Array.isArray(part)) return part.map(sorted);
  if (typeof part !== 'object' || part === null) return part;
  return Object.entries(part as { readonly [name: string]: Part })
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]): Part => [name, sorted(value)]);
}

/** What is the same for all operations of a stage. */
export interface KeyContext {
  /** Of what came before. */
  readonly parent: string;
  readonly platform: string;
  /** Of what the operation reads, in its order: content, or the key of a stage. */
  readonly inputs: readonly string[];
  /** The owner's ids, where the stage's passwd was asked. */
  readonly owner?: string;
}

export function operationKey(operation: Operation, context: KeyContext): string {
  const common = { ...context, inputs: context.inputs };
  switch (operation.kind) {
    case 'run':
      return keyOf('run', { ...common, ...runParts(operation) });
    case 'copy':
      return keyOf('copy', { ...common, ...copyParts(operation) });
    case 'directory':
      return keyOf('directory', { ...common, path: operation.path, user: operation.owner });
  }
}

/** Secrets are no part of it: their content never reaches a key, and a build with another secret is the same build. */
function runParts({ args, env, cwd, user, mounts, network, insecure, script }: RunOperation) {
  return {
    args,
    env,
    cwd,
    user,
    network,
    insecure,
    script: script === undefined ? null : [script.name, script.content],
    mounts: mounts.map(({ mount, origin }) => ({
      type: mount.type,
      origin: origin.kind,
      source: mount.source,
      target: mount.target,
      readOnly: mount.readOnly,
      size: mount.size,
      id: mount.id,
      sharing: mount.sharing,
      required: mount.required,
      env: mount.env,
      mode: mount.mode,
      uid: mount.uid,
      gid: mount.gid,
    })),
  };
}

function copyParts(operation: CopyOperation) {
  const { add, owner, mode, destination, exclude, parents, link, unpack, keepGitDirectory } = operation;
  return {
    add,
    owned: owner,
    mode,
    destination,
    exclude,
    parents,
    link,
    unpack,
    keepGitDirectory,
    sources: operation.sources.map((source): Part => {
      if (source.kind === 'inline') return ['inline', source.name, source.content];
      return source.kind === 'files' ? ['files', source.pattern] : [source.kind, source.url];
    }),
  };
}

/** A hash over files as they will be copied: names, kinds, modes, owners, links, attributes and content. */
export function contentKey(
  entries: readonly TreeEntry[],
  digests: ReadonlyMap<Bytes, string>,
  owners: 'kept' | 'none',
): string {
  const hash = createHash('sha256');
  for (const entry of entries) {
    const { path, type, mode, uid, gid, target, major, minor, xattrs } = entry;
    const owner = owners === 'kept' ? [uid, gid] : [];
    const content = type === 'file' ? digests.get(path) : [major, minor];
    hash.update(`${JSON.stringify([path, type, mode, owner, target, xattrs, content])}\n`);
  }
  return hash.digest('hex');
}

/** Of a text that is not to be in clear in a name. */
export function textKey(text: string): string {
  return createHash('sha256').update(utf8ToBytes(text), 'latin1').digest('hex');
}
