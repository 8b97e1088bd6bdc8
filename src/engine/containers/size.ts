// How much containers have written, and how large they are with their images (`ps --size`, `inspect --size`, `system df`).

import { openTarget } from '../../image/extract-target.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Engine, placeOf } from './engine.ts';
import type { ContainerSummary } from './summary.ts';

export interface ContainerSize {
  /** Bytes of the files that it has changed or made. */
  readonly changes: number;
  /** The same with the layers of its image. */
  readonly whole: number;
}

const CAUSE = 'default: the size of a container';
/** Where a container's changes are, below its directory (container-place.ts, host-root.ts). */
const PARTS = ['upper', 'changes/upper', 'changes/mounts', 'rootfs'];

type Sized = Pick<ContainerSummary, 'id' | 'imageId' | 'layers'>;

/**
 * The sizes of containers. The launcher walks their changes on descriptors below each directory: a container that runs
 * meanwhile leads nobody elsewhere (CVE-2018-15664).
 */
export async function containerSizes(
  engine: Engine,
  containers: readonly Sized[],
): Promise<Map<Bytes, ContainerSize>> {
  const found = new Map<Bytes, ContainerSize>();
  if (containers.length === 0) return found;
  const images = await imageSizes(engine, containers);
  const { channel } = await openFileLauncher(engine.port, CAUSE);
  try {
    const conversation = new Conversation(channel, CAUSE);
    for (const { id, imageId } of containers) {
      const place = placeOf(engine, id);
      let changes = 0;
      for (const part of PARTS) changes += await treeSize(engine, conversation, `${place}/${part}`);
      found.set(id, { changes, whole: changes + (images.get(imageId) ?? 0) });
    }
    return found;
  } finally {
    await channel.close();
  }
}

async function treeSize({ port }: Engine, conversation: Conversation, path: Bytes): Promise<number> {
  if (port.stat(path) === undefined) return 0;
  const calls = new TreeCalls(port.arch);
  const opened = await openTarget(conversation, calls, path, { confine: false, fresh: false });
  const reader = new TreeReader(conversation, opened, port.arch);
  const seen = new Set<string>();
  let total = 0;
  const waiting: Bytes[] = [''];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const { type, size, links, identity, path: name } of await reader.entries(at)) {
      if (type === 'directory') waiting.push(name);
      if (type !== 'file' || seen.has(identity)) continue;
      if (links > 1) seen.add(identity);
      total += size;
    }
  }
  calls.reset();
  for (const descriptor of [opened.root, opened.spare]) calls.close(descriptor);
  await conversation.ask(calls);
  return total;
}

/** By the id of the image. Images that are no longer in the store count as nothing. */
async function imageSizes(engine: Engine, containers: readonly Sized[]): Promise<Map<Bytes, number>> {
  const wanted = new Set(containers.map(({ imageId }) => imageId).filter((id) => id !== ''));
  if (wanted.size === 0) return new Map();
  const [{ imagesOf, withShop }, { imageSize }] = await Promise.all([
    import('../images/shop.ts'),
    import('../images/size.ts'),
  ]);
  const { port, dataRoot } = engine;
  return await withShop(port, { dataRoot }, async (shop) => {
    const images = await imagesOf(shop);
    return new Map(images.map((image) => [image.id as Bytes, imageSize(shop.store, image)]));
  });
}
