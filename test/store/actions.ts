// What a program does with a store in the tests: a pull, a removal, a collection, a verification.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { chainIds } from '../../src/image/store/chain.ts';
import { fetchBlob } from '../../src/image/store/image.testing.ts';
import type { Store } from '../../src/image/store/store.ts';
import { images } from './world.ts';

/** What to do, and with which image; `gc` has the milliseconds to wait for others instead. */
export type Action = readonly [string, ...string[]];

function fill(target: string, layer: string): void {
  mkdirSync(`${target}/directory`);
  const file = openSync(`${target}/data`, 'wx');
  writeSync(file, layer);
  closeSync(file);
}

async function pullOne(store: Store, name: string): Promise<string> {
  const image = images[name];
  if (image === undefined) throw new Error(`no image ${name}`);
  for (const descriptor of [...image.layers, image.config, image.manifest])
    await fetchBlob(store, image, descriptor);
  await store.names.set(image.reference, image.manifest);
  const chains = chainIds(image.diffIds);
  let unpacked = 0;
  for (const [index, chain] of chains.entries()) {
    const diffId = image.diffIds[index];
    if (diffId === undefined) continue;
    await store.layers.create(chain, chains[index - 1], async (target) => {
      unpacked++;
      fill(target, diffId);
      return { diffId, size: diffId.length };
    });
  }
  return `pulled ${name} ${unpacked}`;
}

/** The result is one line. */
export async function act(store: Store, [action, name = '']: Action): Promise<string> {
  const image = images[name];
  if (action === 'pull') return await pullOne(store, name);
  if (action === 'remove' && image !== undefined)
    return `removed ${name} ${await store.names.remove(image.reference)}`;
  if (action === 'gc') {
    const { busy, blobs, layers } = await store.garbage({ partialAge: 0, patience: Number(name) });
    return `gc ${busy} ${blobs.length} ${layers.length}`;
  }
  if (action === 'verify') return `verify ${(await store.verify()).findings.length}`;
  throw new Error(`no action ${action}`);
}
