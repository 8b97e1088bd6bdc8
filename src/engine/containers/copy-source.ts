// What `cp` reads, as an archive: a file or a tree of a container, or of the host.
import { TreeArchive } from '../../image/layer/archive.ts';
import type { Conversation } from '../../image/layer/conversation.ts';
import type { TreeNode } from '../../image/layer/tree-node.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import type { Arch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { baseName, type CopySource, type PathArgument, refusedCopy } from './copy-rules.ts';
import type { ContainerFiles } from './files.ts';
import { type Located, Lookup } from './lookup.ts';

/** A source that was found. */
export interface OpenSource extends CopySource {
  /** The archive, whose top is called `name`. */
  archive(name: Bytes): AsyncGenerator<Uint8Array>;
}

/** One side of a copy: who looks names up, and what is passed over. */
export interface Tree {
  readonly conversation: Conversation;
  readonly lookup: Lookup;
  readonly arch: Arch;
  /** Devices (`major:minor`) of file systems of the kernel. */
  readonly kernelDevices: ReadonlySet<string>;
}

/** Throws CaissonError, what `missing` makes, where there is nothing. */
export async function openSource(
  tree: Tree,
  argument: PathArgument,
  follows: boolean,
  missing: () => Error,
): Promise<OpenSource> {
  const { conversation, lookup, arch } = tree;
  const located = await lookup.locate(argument.path, follows || argument.wantsDirectory);
  const { node } = located;
  if (node === undefined) throw missing();
  if (argument.wantsDirectory && node.type !== 'directory')
    throw refusedCopy(`${argument.text}: not a directory`);
  const isDirectory = node.type === 'directory';
  const at = await lookup.open(isDirectory ? located.path : located.parent);
  const reader = new TreeReader(conversation, at, arch, true);
  const own = deviceOf(node);
  const skips = (each: TreeNode) => deviceOf(each) !== own && tree.kernelDevices.has(deviceOf(each));
  return {
    isDirectory,
    contents: argument.contents,
    name: baseName(argument.path),
    archive: (name) => (isDirectory ? wholeTree(reader, name, skips) : oneFile(reader, located, name)),
  };
}

function wholeTree(
  reader: TreeReader,
  top: Bytes,
  skips: (node: TreeNode) => boolean,
): AsyncGenerator<Uint8Array> {
  const named = (path: Bytes) => (path === '' ? top : `${top}/${path}`);
  return new TreeArchive(reader, { form: 'plain', skips, named }).bytesWithRoot();
}

function oneFile(reader: TreeReader, { name: from }: Located, name: Bytes): AsyncGenerator<Uint8Array> {
  const named = (path: Bytes) => `${name}${path.slice(from.length)}`;
  return new TreeArchive(reader, { form: 'plain', named }).bytesOf([from]);
}

function deviceOf({ identity }: TreeNode): string {
  return identity.slice(0, identity.lastIndexOf(':'));
}

/** The side of a container; kernel file systems that are mounted in it are passed over, as docker does. */
export async function containerTree({
  port,
  conversation,
  target,
  kernelMounts,
}: ContainerFiles): Promise<Tree> {
  const lookup = Lookup.inRoot(conversation, target, port.arch);
  const kernelDevices = new Set<string>();
  for (const path of kernelMounts) {
    const node = await lookup.look(path, true);
    if (node !== undefined) kernelDevices.add(deviceOf(node));
  }
  return { conversation, lookup, arch: port.arch, kernelDevices };
}
