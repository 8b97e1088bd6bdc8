// `caisson search`.
import { searchImages } from '../../engine/images/search.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagList, flagOn, flagText } from '../command.ts';
import { formatList } from '../format.ts';
import { ending, warningsOnly } from '../image-shop.ts';

const SHAPE = {
  columns: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
  heads: { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL' },
};
const WIDTH = 45;

export const command: Command = {
  name: 'search',
  summary: 'Search Docker Hub, or another registry, for images',
  usage: '[OPTIONS] [REGISTRY/]TERM',
  flags: [
    list('filter', 'Filter output based on conditions provided', { short: 'f', takes: 'filter' }),
    value('format', 'Pretty-print search using a Go template'),
    value('limit', 'Max number of search results', { takes: 'int', fallback: '25' }),
    boolean('no-trunc', "Don't truncate output"),
  ],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [term] = parsed.positionals as [Bytes];
    const limit = flagText(parsed, 'limit') ?? '25';
    if (!/^[0-9]{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 100)
      throw new CaissonError(`limit ${limit} is outside the range of [1, 100]`, {
        code: 'EUSAGE',
        exitCode: 1,
      });
    const options = { limit: Number(limit), filters: flagList(parsed, 'filter') };
    const found = await searchImages(context.port, term, options, warningsOnly(context));
    const rows = found.map(({ name, description, stars, official }) => ({
      Description: utf8ToBytes(flagOn(parsed, 'no-trunc') ? description : shortened(description)),
      IsOfficial: official ? '[OK]' : '',
      Name: utf8ToBytes(name),
      StarCount: String(stars),
    }));
    context.port.write(1, formatList(rows, SHAPE, flagText(parsed, 'format')));
  }),
};

function shortened(text: string): string {
  const symbols = [...text];
  return symbols.length > WIDTH ? `${symbols.slice(0, WIDTH - 1).join('')}\u2026` : text;
}
