// `caisson tag`.
import { tagImage } from '../../engine/images/tag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'tag',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  flags: [],
  arguments: [2, 2],
  run: ending(async ({ positionals }, context) => {
    const [source, target] = positionals as [Bytes, Bytes];
    await inShop(context, (shop) => tagImage(shop, source, target));
  }),
};
