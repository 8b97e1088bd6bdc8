// Events of images, as docker names them.
import type { Removed } from '../images/remove.ts';
import type { Shop } from '../images/shop.ts';
import { tell } from './tell.ts';

export type ImageAction = 'pull' | 'push' | 'tag' | 'untag' | 'delete' | 'load' | 'save' | 'import';

/** Tells what has happened to an image; `id` is its ID, or its name where docker has that. Never throws. */
export function tellImage({ port, store }: Shop, action: ImageAction, id: string, name = id): void {
  tell({ port, dataRoot: store.root }, { type: 'image', action, id, attributes: { name } });
}

/** Tells what is gone: names, and the images that have lost their last one. */
export function tellRemoved(shop: Shop, { untagged, deleted }: Removed): void {
  const [image = ''] = deleted;
  for (const name of untagged)
    if (!name.includes('@')) tellImage(shop, 'untag', image === '' ? name : image, name);
  if (image !== '') tellImage(shop, 'delete', image);
}
