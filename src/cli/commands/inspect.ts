// `caisson inspect`: of containers and images.
import { inspectImage } from '../../engine/images/inspect.ts';
import { inspectContainer } from '../../engine/images/inspect-container.ts';
import { imagesOf, type Shop } from '../../engine/images/shop.ts';
import { findImage, type StoredImage } from '../../engine/images/stored-image.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import { type Command, flagText } from '../command.ts';
import { formatInspection } from '../format.ts';
import { ending, inShop } from '../image-shop.ts';
import { stateRoot } from '../state-root.ts';

const TYPES = ['container', 'image'];

export const command: Command = {
  name: 'inspect',
  summary: 'Return low-level information on containers and images',
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  description: 'Of a name that both have the container is shown; --type chooses.',
  flags: [
    value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' }),
    boolean('size', 'Display total file sizes if the type is container', {
      short: 's',
      later: 'the engine (issue 5)',
    }),
    value('type', 'Only inspect objects of the given type', { completes: TYPES }),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const type = flagText(parsed, 'type');
    if (type !== undefined && !TYPES.includes(type))
      throw new CaissonError(`unknown type: "${type}": must be one of "container" or "image"`, {
        code: 'EUSAGE',
      });
    const missing: Bytes[] = [];
    const found = await inShop(context, async (shop) => {
      const images = await imagesOf(shop);
      const values: JsonValue[] = [];
      for (const text of parsed.positionals) {
        const one = await inspectOne(shop, images, text, type, stateRoot(context));
        if (one === undefined) missing.push(text);
        else values.push(one);
      }
      return values;
    });
    const format = flagText(parsed, 'format');
    if (found.length > 0 || format === undefined) context.port.write(1, formatInspection(found, format));
    const [first] = missing;
    if (first !== undefined) throw new CaissonError(`No such object: ${first}`, { code: 'ENOTFOUND' });
  }),
};

async function inspectOne(
  shop: Shop,
  images: readonly StoredImage[],
  text: Bytes,
  type: Bytes | undefined,
  state: Bytes,
): Promise<JsonValue | undefined> {
  if (type !== 'image') {
    const container = inspectContainer(shop.port, state, shop.store.root, text);
    if (container !== undefined) return container;
  }
  if (type === 'container') return undefined;
  const image = findImageQuietly(images, text);
  return image === undefined ? undefined : await inspectImage(shop.store, image);
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
