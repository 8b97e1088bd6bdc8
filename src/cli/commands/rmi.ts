// `caisson rmi`.
import { tellRemoved } from '../../engine/events/images.ts';
import { collectGarbage, imageUsers } from '../../engine/images/garbage.ts';
import { removeImage } from '../../engine/images/remove.ts';
import { imagesOf } from '../../engine/images/shop.ts';
import { boolean } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagOn } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'rmi',
  summary: 'Remove one or more images',
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  description:
    'A name goes alone while its image has others. What no image needs any more goes with the last one.',
  flags: [
    boolean('force', 'Force removal of the image', { short: 'f' }),
    boolean('no-prune', 'Do not delete untagged parents'),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const force = flagOn(parsed, 'force');
    const failed: unknown[] = [];
    await inShop(context, async (shop) => {
      for (const text of parsed.positionals) {
        try {
          const options = { force, users: imageUsers(shop) };
          const { untagged, deleted } = await removeImage(shop.store, await imagesOf(shop), text, options);
          tellRemoved(shop, { untagged, deleted });
          for (const name of untagged) context.out(`Untagged: ${name}`);
          for (const digest of deleted) context.out(`Deleted: ${digest}`);
        } catch (error) {
          // docker: what is not there is no failure with --force.
          if (!(error instanceof CaissonError)) throw error;
          if (!(force && error.code === 'ENOTFOUND')) failed.push(error);
        }
      }
      if (!flagOn(parsed, 'no-prune')) await collectGarbage(shop);
    });
    const [first, ...others] = failed;
    for (const error of others) if (error instanceof CaissonError) context.warn(error.message);
    if (first !== undefined) throw first;
  }),
};
