// `caisson help [COMMAND...]`.

import { CaissonError } from '../../spec/error.ts';
import type { Command } from '../command.ts';
import { commandHelp, groupHelp, rootHelp } from '../help.ts';
import { COMMANDS, GLOBAL_FLAGS, SUMMARY } from '../registry.ts';

export const command: Command = {
  name: 'help',
  summary: 'Show help for a command',
  usage: '[COMMAND...]',
  flags: [],
  arguments: [0, 2],
  completes: COMMANDS.map(({ name }) => name),
  run: async ({ positionals }, context) => {
    context.out((await helpText(positionals, context.width)).trimEnd());
    return 0;
  },
};

/** The help for the names of a command. Throws CaissonError for an unknown one. */
export async function helpText(names: readonly string[], width: number): Promise<string> {
  const [first, second] = names;
  if (first === undefined) return rootHelp(SUMMARY, GLOBAL_FLAGS, COMMANDS, width);
  const entry = COMMANDS.find(({ name }) => name === first);
  if (entry !== undefined && 'group' in entry) {
    if (second === undefined) return groupHelp(entry.group, width);
    const inner = entry.group.commands.find(({ name }) => name === `${first} ${second}`);
    if (inner !== undefined) return commandHelp((await inner.load()).command, width);
  } else if (entry !== undefined && second === undefined) {
    return commandHelp((await entry.load()).command, width);
  }
  throw new CaissonError(`unknown help topic: ${names.join(' ')}`, { code: 'EUSAGE' });
}
