// `caisson images`.
import { createdAt, filterImages, isDangling } from '../../engine/images/filter.ts';
import { imagesOf, type Shop } from '../../engine/images/shop.ts';
import { imageSize } from '../../engine/images/size.ts';
import type { StoredImage } from '../../engine/images/stored-image.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { familiarName, parseNamed, type Reference } from '../../spec/reference.ts';
import { type Command, flagList, flagOn, flagText, type Parsed } from '../command.ts';
import { formatList, type ListShape, type Row } from '../format.ts';
import { goTime, humanSince, humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';

const HEADS = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

function shape(digests: boolean): ListShape {
  const digest = digests ? '\t{{.Digest}}' : '';
  return {
    columns: `{{.Repository}}\t{{.Tag}}${digest}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    heads: HEADS,
  };
}

export const command: Command = {
  name: 'images',
  summary: 'List images',
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  description:
    'The built-in image host, which is this machine itself, is in the table and not in other forms.',
  examples: ['caisson images', "caisson images --filter dangling=true --format '{{.ID}} {{.Size}}'"],
  flags: [
    boolean('all', 'Show all images (default hides intermediate images)', { short: 'a' }),
    boolean('digests', 'Show digests'),
    list('filter', 'Filter output based on conditions provided', { short: 'f', takes: 'filter' }),
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    boolean('no-trunc', "Don't truncate output"),
    boolean('quiet', 'Only show image IDs', { short: 'q' }),
  ],
  arguments: [0, 1],
  run: ending(async (parsed, context) => {
    const [rows, ids] = await inShop(context, async (shop) => {
      const images = await chosenImages(shop, parsed);
      const now = Date.now();
      const rows = images.flatMap((image) => rowsOf(shop, image, parsed, now));
      return [rows, [...new Set(rows.map((row) => row.ID as Bytes))]] as const;
    });
    const format = flagText(parsed, 'format');
    if (flagOn(parsed, 'quiet') && format === undefined) {
      for (const id of ids) context.out(id);
      return;
    }
    const shown = showsHost(parsed) ? [...rows, HOST_ROW] : rows;
    context.port.write(1, formatList(shown, shape(flagOn(parsed, 'digests')), format));
  }),
};

/** The machine's own files: an image without an ID. */
const HOST_ROW: Row = {
  ...{ ID: 'built-in', Repository: 'host', Tag: '<none>', Digest: '<none>', CreatedSince: 'N/A' },
  ...{ CreatedAt: 'N/A', Size: '0B', Containers: 'N/A', SharedSize: 'N/A', UniqueSize: 'N/A' },
};

function showsHost(parsed: Parsed): boolean {
  const [repository] = parsed.positionals;
  const format = flagText(parsed, 'format') ?? 'table';
  return (
    (repository === undefined || repository === 'host') &&
    flagList(parsed, 'filter').length === 0 &&
    format.startsWith('table') &&
    !flagOn(parsed, 'quiet')
  );
}

async function chosenImages(shop: Shop, parsed: Parsed): Promise<StoredImage[]> {
  const filtered = filterImages(await imagesOf(shop), flagList(parsed, 'filter'), Date.now());
  return filtered.sort((a, b) => createdAt(b) - createdAt(a));
}

function rowsOf(shop: Shop, image: StoredImage, parsed: Parsed, now: number): Row[] {
  const whole = flagOn(parsed, 'no-trunc');
  const { created } = image.config;
  const common = {
    Containers: 'N/A',
    CreatedAt: goTime(created),
    CreatedSince: humanSince(created, now),
    Digest: image.top.digest,
    ID: whole ? image.id : image.id.slice(7, 19),
    SharedSize: 'N/A',
    Size: humanSize(imageSize(shop.store, image), 3),
    UniqueSize: 'N/A',
  };
  return namesShown(image, parsed).map(({ repository, tag }) => ({
    ...common,
    Repository: repository,
    Tag: tag,
  }));
}

/** A row for each tag; for an image without one a row for each repository, or one of nothing. */
function namesShown(
  image: StoredImage,
  parsed: Parsed,
): { readonly repository: string; readonly tag: string }[] {
  const [asked] = parsed.positionals;
  const wanted = asked === undefined ? undefined : parseNamed(asked);
  const fits = (name: Reference) =>
    wanted === undefined ||
    (name.domain === wanted.domain &&
      name.path === wanted.path &&
      (wanted.tag === undefined || wanted.tag === name.tag));
  const tagged = image.names.filter(({ tag }) => tag !== undefined);
  const rows = (tagged.length > 0 ? tagged : image.names)
    .filter(fits)
    .map((name) => ({ repository: familiarName(name), tag: name.tag ?? '<none>' }));
  if (rows.length > 0 || wanted !== undefined || !isDangling(image)) return rows;
  return [{ repository: '<none>', tag: '<none>' }];
}
