// `caisson help [COMMAND...]`.

import { CaissonError } from '../../spec/error.ts';
import type { Catalogue, Command } from '../command.ts';
import { commandHelp, groupHelp, rootHelp } from '../help.ts';

export const command: Command = {
  name: 'help',
  summary: 'Show help for a command',
  usage: '[COMMAND...]',
  flags: [],
  arguments: [0, 2],
  run: async ({ positionals }, { catalogue, width, out }) => {
    out((await helpText(catalogue, positionals, width)).trimEnd());
    return 0;
  },
};

/** The help for the names of a command. Throws CaissonError for an unknown one. */
export async function helpText(
  catalogue: Catalogue,
  names: readonly string[],
  width: number,
): Promise<string> {
  const { summary, flags, entries } = catalogue;
  const [first, second] = names;
  if (first === undefined) return rootHelp(summary, flags, entries, width);
  const entry = entries.find(({ name }) => name === first);
  if (entry !== undefined && 'group' in entry) {
    if (second === undefined) return groupHelp(entry.group, width);
    const inner = entry.group.commands.find(({ name }) => name === `${first} ${second}`);
    if (inner !== undefined) return commandHelp((await inner.load()).command, width);
  } else if (entry !== undefined && second === undefined) {
    return commandHelp((await entry.load()).command, width);
  }
  throw new CaissonError(`unknown help topic: ${names.join(' ')}`, { code: 'EUSAGE' });
}
