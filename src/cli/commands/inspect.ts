// `caisson inspect`: of containers and images.

import { inspectContainer } from '../../engine/containers/inspect.ts';
import { inspectImage } from '../../engine/images/inspect.ts';
import { imagesOf } from '../../engine/images/shop.ts';
import { findImage, type StoredImage } from '../../engine/images/stored-image.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';
import { formatInspection } from '../format.ts';
import { ending, inShop } from '../image-shop.ts';

const TYPES = ['container', 'image'];

export const command: Command = {
  name: 'inspect',
  summary: 'Return low-level information on containers and images',
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  description: 'Of a name that both have the container is shown; --type chooses.',
  flags: [
    value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' }),
    boolean('size', 'Display total file sizes if the type is container', { short: 's' }),
    value('type', 'Only inspect objects of the given type', { completes: TYPES }),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const type = flagText(parsed, 'type');
    if (type !== undefined && !TYPES.includes(type))
      throw new CaissonError(`unknown type: "${type}": must be one of "container" or "image"`, {
        code: 'EUSAGE',
      });
    const found: (JsonValue | undefined)[] = [];
    const engine = await containerEngine(context);
    for (const text of parsed.positionals)
      found.push(type === 'image' ? undefined : await inspectContainer(engine, text, flagOn(parsed, 'size')));
    if (type !== 'container') await addImages(context, parsed.positionals, found);
    const values = found.flatMap((each) => each ?? []);
    const format = flagText(parsed, 'format');
    if (values.length > 0 || format === undefined) context.port.write(1, formatInspection(values, format));
    const missing = parsed.positionals.find((_, index) => found[index] === undefined);
    if (missing === undefined) return;
    throw new CaissonError(`No such ${type ?? 'object'}: ${missing}`, { code: 'ENOTFOUND' });
  }),
};

/** Looks among the images for what is no container. */
async function addImages(
  context: Context,
  names: readonly Bytes[],
  found: (JsonValue | undefined)[],
): Promise<void> {
  if (!found.includes(undefined)) return;
  await inShop(context, async (shop) => {
    const images = await imagesOf(shop);
    for (const [index, text] of names.entries()) {
      if (found[index] !== undefined) continue;
      const image = findImageQuietly(images, text);
      if (image !== undefined) found[index] = await inspectImage(shop.store, image);
    }
  });
}

/** What can be the name of no image is simply not there. */
function findImageQuietly(images: readonly StoredImage[], text: Bytes): StoredImage | undefined {
  try {
    return findImage(images, text)?.image;
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'EREFERENCE') return undefined;
    throw error;
  }
}
