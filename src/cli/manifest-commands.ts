// What the `manifest` commands share.

import type { Registry } from '../distribution/registry.ts';
import { registryConfiguration, withRegistry } from '../engine/images/registry.ts';
import { storeLocation } from '../image/store/location.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { canonical, type Reference } from '../spec/reference.ts';
import type { Context } from './context.ts';
import { warningsOnly } from './image-shop.ts';

/** Where lists are kept. */
export async function listRoot({ port, globals }: Context): Promise<Bytes> {
  return (await storeLocation(port, globals.dataRoot)).root;
}

/** Does `work` with the registry of a reference. */
export async function atRegistry<T>(
  context: Context,
  reference: Reference,
  access: 'pull' | 'push',
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  const configuration = await registryConfiguration(context.port);
  return await withRegistry(configuration, reference, access, warningsOnly(context), work);
}

export function noSuchList(list: Reference): CaissonError {
  return new CaissonError(`No such manifest: ${canonical(list)}`, { code: 'ENOTFOUND', exitCode: 1 });
}
