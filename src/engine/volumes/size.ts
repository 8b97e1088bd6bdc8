// How many bytes the files of volumes have: read by a launcher, for they may belong to subordinate users.
import { openTarget } from '../../image/extract-target.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import { backingOf } from './driver-options.ts';
import type { PlacedVolume } from './volume.ts';
import type { VolumeStore } from './volume-store.ts';

/** By name; a volume that is no directory of its own has none. A file with several names counts once. */
export async function volumeSizes(
  { port }: Pick<VolumeStore, 'port'>,
  volumes: readonly PlacedVolume[],
): Promise<ReadonlyMap<Bytes, number>> {
  const sizes = new Map<Bytes, number>();
  const own = volumes.filter(({ options }) => backingOf(options).kind === 'directory');
  if (own.length === 0) return sizes;
  const { channel } = await openFileLauncher(port, 'default: volumes');
  try {
    for (const { name, mountpoint } of own) {
      const conversation = new Conversation(channel, `volume ${name}`);
      try {
        sizes.set(name, await sizeBelow(conversation, port.arch, mountpoint));
      } catch (error) {
        // Removed meanwhile.
        if (!(error instanceof CaissonError) || error.errno !== ERRNO.ENOENT) throw error;
      }
    }
  } finally {
    await channel.close();
  }
  return sizes;
}

async function sizeBelow(conversation: Conversation, arch: TreeCalls['arch'], path: Bytes): Promise<number> {
  const calls = new TreeCalls(arch);
  const tree = await openTarget(conversation, calls, path, { confine: false, fresh: false, writable: false });
  const reader = new TreeReader(conversation, tree, arch);
  const counted = new Set<string>();
  let size = 0;
  const waiting: Bytes[] = [''];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const node of await reader.entries(at)) {
      if (node.type === 'directory') waiting.push(node.path);
      if (node.type !== 'file' || counted.has(node.identity)) continue;
      if (node.links > 1) counted.add(node.identity);
      size += node.size;
    }
  }
  calls.reset();
  calls.close(tree.spare);
  calls.close(tree.root);
  await conversation.ask(calls);
  return size;
}
