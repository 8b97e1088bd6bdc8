// `caisson image inspect`.
import { inspectImage } from '../../engine/images/inspect.ts';
import { imagesOf, wantedPlatform } from '../../engine/images/shop.ts';
import { findImage, forPlatform, noSuchImage } from '../../engine/images/stored-image.ts';
import { value } from '../../frontends/flag.ts';
import type { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import { type Command, flagText, type Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { formatInspection } from '../format.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'image inspect',
  summary: 'Display detailed information on one or more images',
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  examples: ["caisson image inspect --format '{{json .Config.Env}}' debian"],
  flags: [
    value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' }),
    value('platform', 'Inspect a specific platform of the multi-platform image'),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending((parsed, context) => inspectAll(parsed, context, flagText(parsed, 'platform'))),
};

/** Prints what was found, and then says what was not, as docker does. */
export async function inspectAll(parsed: Parsed, context: Context, platform?: string): Promise<number> {
  const missing: CaissonError[] = [];
  const found = await inShop(context, async (shop) => {
    const images = await imagesOf(shop);
    const values: JsonValue[] = [];
    for (const text of parsed.positionals) {
      const image = findImage(images, text)?.image;
      const fitting =
        image === undefined || platform === undefined
          ? image
          : await forPlatform(shop.store, image, wantedPlatform(shop.port, platform));
      if (fitting === undefined) missing.push(noSuchImage(text));
      else values.push(await inspectImage(shop.store, fitting));
    }
    return values;
  });
  const format = flagText(parsed, 'format');
  if (found.length > 0 || format === undefined) context.port.write(1, formatInspection(found, format));
  const [first] = missing;
  if (first !== undefined) throw first;
  return 0;
}
