// `caisson volume rm`.
import { boolean } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagOn } from '../command.ts';
import { ending } from '../image-shop.ts';
import { reportError } from '../report.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume rm',
  summary: 'Remove one or more volumes',
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  description: 'A volume that a container uses cannot be removed, whether that container runs or not.',
  flags: [boolean('force', 'Do not fail for a volume that is not there', { short: 'f' })],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const store = await openStore(context);
    let code = 0;
    for (const name of parsed.positionals) {
      try {
        await store.remove(name);
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        if (!(flagOn(parsed, 'force') && error.code === 'ENOTFOUND')) {
          context.port.write(2, reportError(error, { colour: false, debug: context.globals.debug }));
          code = 1;
          continue;
        }
      }
      context.out(name);
    }
    return code;
  }),
};
