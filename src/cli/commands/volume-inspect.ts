// `caisson volume inspect`.
import { inspection } from '../../engine/volumes/volume.ts';
import { value } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import { type Command, flagText } from '../command.ts';
import { formatInspection } from '../format.ts';
import { ending } from '../image-shop.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume inspect',
  summary: 'Display detailed information on one or more volumes',
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  examples: ["caisson volume inspect --format '{{.Mountpoint}}' data"],
  flags: [value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' })],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const store = await openStore(context);
    const found: JsonValue[] = [];
    const errors: CaissonError[] = [];
    for (const name of parsed.positionals) {
      try {
        found.push(inspection(store.get(name)));
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        errors.push(error);
      }
    }
    const format = flagText(parsed, 'format');
    if (found.length > 0 || format === undefined) context.port.write(1, formatInspection(found, format));
    const [first] = errors;
    if (first !== undefined) throw first;
  }),
};
