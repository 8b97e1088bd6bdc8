// `caisson history`.
import { historyOf } from '../../engine/images/history.ts';
import { imagesOf } from '../../engine/images/shop.ts';
import { requireImage } from '../../engine/images/stored-image.ts';
import { boolean, value } from '../../frontends/flag.ts';
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { formatList } from '../format.ts';
import { humanSince, humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';

const SHAPE = {
  columns: '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}',
  heads: {
    ID: 'IMAGE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
  },
};
const WIDTH = 45;

export const command: Command = {
  name: 'history',
  summary: 'Show the history of an image',
  usage: '[OPTIONS] IMAGE',
  flags: [
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    boolean('human', 'Print sizes and dates in human readable format', { short: 'H', fallback: 'true' }),
    boolean('no-trunc', "Don't truncate output"),
    boolean('quiet', 'Only show image IDs', { short: 'q' }),
  ],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [text] = parsed.positionals as [Bytes];
    const lines = await inShop(context, async (shop) => {
      const { image } = requireImage(await imagesOf(shop), text);
      return historyOf(shop.store, image);
    });
    const human = parsed.flags.get('human') !== false;
    const whole = flagOn(parsed, 'no-trunc');
    const now = Date.now();
    const rows = lines.map(({ id, created, createdBy, comment, size }) => ({
      Comment: printable(comment),
      CreatedAt: created ?? '',
      CreatedBy: whole ? printable(createdBy) : shortened(printable(createdBy)),
      CreatedSince: human ? humanSince(created, now) : (created ?? ''),
      ID: id === undefined ? '<missing>' : whole ? id : id.slice(7, 19),
      Size: human ? humanSize(size, 3) : String(size),
    }));
    if (flagOn(parsed, 'quiet')) for (const { ID } of rows) context.out(ID);
    else context.port.write(1, formatList(rows, SHAPE, flagText(parsed, 'format')));
  }),
};

/** A stranger's words must not steer the terminal (ECMA-48); tabs and line ends are left to `shortened`. */
function printable(text: Bytes): Bytes {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/g, '?');
}

/** One line of a table: no tabs, and no more than its column. */
function shortened(text: Bytes): Bytes {
  const line = text.replaceAll('\t', ' ').replaceAll('\n', ' ');
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}${utf8ToBytes('\u2026')}` : line;
}
