// Help text in docker's shape, from a command's declaration.

import type { Flag } from '../frontends/flag.ts';
import type { CommandGroup, CommandShape, ForwardedGroup, RootEntry } from './command.ts';
import { fullName, HELP_FLAG } from './grammar.ts';

/** Docker wraps at the width of the terminal; a pipe is as this. */
export const DEFAULT_WIDTH = 80;

/** Room for the help of a flag; narrower columns are not wrapped at all. */
const NARROWEST = 24;

/** The help of one command, for a terminal of `width` columns. */
export function commandHelp(command: CommandShape, width = DEFAULT_WIDTH): string {
  const parts = [`Usage:  ${fullName(command.name)} ${command.usage}`.trimEnd(), command.summary];
  if (command.description !== undefined) parts.push(command.description);
  if (command.examples !== undefined) {
    parts.push(`Examples:\n${command.examples.map((line) => `  ${line}`).join('\n')}`);
  }
  parts.push(flagHelp(command.flags, width));
  return `${parts.join('\n\n')}\n`;
}

/** The help of a group of commands. */
export function groupHelp(group: CommandGroup | ForwardedGroup, width = DEFAULT_WIDTH): string {
  const commands = group.commands.filter(({ hidden }) => hidden !== true);
  const names = commands.map(({ name, summary }) => [name.slice(group.name.length + 1), summary] as const);
  const parts = [`Usage:  ${fullName(group.name)} COMMAND`, group.summary];
  if (group.flags.length > 0) parts.push(flagHelp(group.flags, width));
  parts.push(`Commands:\n${table(names, width)}`);
  parts.push(`Run '${fullName(group.name)} COMMAND --help' for more information on a command.`);
  return `${parts.join('\n\n')}\n`;
}

/** What docker's help lists first. */
const COMMON = 'run exec ps build pull push images login logout search version info'.split(' ');

/** The help of caisson itself. */
export function rootHelp(
  summary: string,
  flags: readonly Flag[],
  entries: readonly RootEntry[],
  width = DEFAULT_WIDTH,
): string {
  const visible = entries.filter((entry) => !('hidden' in entry && entry.hidden));
  const rows = (fits: (entry: RootEntry) => boolean): (readonly [string, string])[] =>
    visible.filter(fits).map(({ name, summary: text }) => [name, text]);
  const isGroup = (entry: RootEntry) => 'group' in entry;
  const isCommon = ({ name }: RootEntry) => COMMON.includes(name);
  const parts = [
    'Usage:  caisson [OPTIONS] COMMAND',
    summary,
    `Common Commands:\n${table(rows(isCommon), width)}`,
    `Management Commands:\n${table(rows(isGroup), width)}`,
    `Commands:\n${table(
      rows((entry) => !isGroup(entry) && !isCommon(entry)),
      width,
    )}`,
    flagHelp(flags, width, 'Global Options'),
    "Run 'caisson COMMAND --help' for more information on a command.",
  ];
  return `${parts.join('\n\n')}\n`;
}

/** `Options:` and the flags that hold today, by name; those of a group under its heading. */
export function flagHelp(flags: readonly Flag[], width: number, heading = 'Options'): string {
  const shown = [...flags, HELP_FLAG].filter((flag) => flag.later === undefined);
  const groups = [...new Set(shown.map((flag) => flag.group))];
  const left = (flag: Flag): string => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
    return `${short}--${flag.name}${flag.takes === undefined ? '' : ` ${flag.takes}`}`;
  };
  return groups
    .map((group) => {
      const rows = shown
        .filter((flag) => flag.group === group)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((flag) => [left(flag), description(flag)] as const);
      return `${group ?? heading}:\n${table(rows, width)}`;
    })
    .join('\n\n');
}

function description(flag: Flag): string {
  return flag.fallback === undefined ? flag.help : `${flag.help} (default ${shownDefault(flag)})`;
}

/** As docker's: numbers and booleans bare, words in quotes. */
function shownDefault({ fallback = '', takes }: Flag): string {
  return takes === 'string' && !/^-?[0-9]/.test(fallback) ? `"${fallback}"` : fallback;
}

/** Two columns, the second wrapped. */
function table(rows: readonly (readonly [string, string])[], width: number): string {
  const left = Math.max(0, ...rows.map(([name]) => name.length));
  const indent = left + 5;
  return rows
    .map(
      ([name, text]) =>
        `  ${name.padEnd(left)}   ${wrap(text, width - indent).join(`\n${' '.repeat(indent)}`)}`,
    )
    .join('\n');
}

/** Lines of at most `width` columns, broken at blanks. */
export function wrap(text: string, width: number): string[] {
  if (width < NARROWEST) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
