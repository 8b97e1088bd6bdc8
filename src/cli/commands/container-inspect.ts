// `caisson container inspect`.
import { inspectContainer } from '../../engine/containers/inspect.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { formatInspection } from '../format.ts';
import { ending } from '../image-shop.ts';

export const command: Command = {
  name: 'container inspect',
  summary: 'Display detailed information on one or more containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [
    value('format', 'Format output using a custom template: json or TEMPLATE', { short: 'f' }),
    boolean('size', 'Display total file sizes', { short: 's' }),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const engine = await containerEngine(context);
    const found: JsonValue[] = [];
    let missing: Bytes | undefined;
    for (const text of parsed.positionals) {
      const one = await inspectContainer(engine, text, flagOn(parsed, 'size'));
      if (one === undefined) missing ??= text;
      else found.push(one);
    }
    const format = flagText(parsed, 'format');
    if (found.length > 0 || format === undefined) context.port.write(1, formatInspection(found, format));
    if (missing !== undefined) throw new CaissonError(`No such container: ${missing}`, { code: 'ENOTFOUND' });
  }),
};
