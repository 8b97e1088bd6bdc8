// The pull of an image that a run needs, from the registry that its name means.
import type { Reference } from '../../spec/reference.ts';
import { type PullOptions, pullImage } from './pull.ts';
import { atItsRegistry, registryConfiguration } from './registry.ts';
import type { Shop } from './shop.ts';

/** The name under which the image is in the store now. Throws what a pull throws. */
export async function pullFromItsRegistry(
  shop: Shop,
  text: string,
  options: PullOptions,
): Promise<Reference> {
  const configuration = await registryConfiguration(shop.port);
  const { reference } = await atItsRegistry(configuration, text, shop.reporter, (registry, wanted) =>
    pullImage(shop, registry, wanted, options),
  );
  return reference;
}
