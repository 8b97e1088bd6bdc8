// `tag`: a further name for an image.
import { CaissonError } from '../../spec/error.ts';
import { familiar, parseReference } from '../../spec/reference.ts';
import { tellImage } from '../events/images.ts';
import { imagesOf, type Shop } from './shop.ts';
import { requireImage } from './stored-image.ts';

/** Throws CaissonError `ENOTFOUND` for no such image, `EREFERENCE` for a name that is none or has a digest. */
export async function tagImage(shop: Shop, source: string, target: string): Promise<void> {
  const reference = parseReference(target);
  if (reference.digest !== undefined || reference.tag === undefined) {
    throw new CaissonError('refusing to create a tag with a digest reference', {
      code: 'EREFERENCE',
      exitCode: 1,
    });
  }
  const { image } = requireImage(await imagesOf(shop), source);
  await shop.store.names.set(reference, image.top);
  tellImage(shop, 'tag', image.id, familiar(reference));
}
