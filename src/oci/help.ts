// Help in runc's shape (urfave/cli), from a command's declaration.

import type { Flag } from '../frontends/flag.ts';
import type { CommandShape, OciEntry } from './command.ts';
import { HELP } from './grammar.ts';

/** Before the name of the program that is called so; runc's own first line is what scripts look for. */
const ABOUT = 'Open Container Initiative runtime';

const DESCRIPTION = `A container is made from a bundle: a directory with a configuration, config.json, and a root file system.
\`spec\` writes a configuration to begin with. \`run\` makes a container and waits for its end; \`create\` and
\`start\` do it in two steps, and \`delete\` takes away what a stopped one has left.

Command line, files and texts are those of runc, so that containerd, dockerd, podman and CRI-O can call this
program in its place.`;

/** The help of one command. `program` is how it was called. */
export function commandHelp(program: string, command: CommandShape): string {
  const { name, summary, usage, description, flags } = command;
  const options = flags.length === 0 ? '' : ' [options]';
  const sections = [
    section('NAME', `${program} ${name} - ${summary}`),
    section('USAGE', `${program} ${name}${options}${usage === '' ? '' : ` ${usage}`}`),
    ...(description === undefined ? [] : [section('DESCRIPTION', description)]),
    `OPTIONS:\n${optionTable(flags)}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

/** The help of the program. */
export function programHelp(
  program: string,
  version: string,
  flags: readonly Flag[],
  entries: readonly OciEntry[],
): string {
  const name = program === 'runc' ? 'runc' : `${program}, in place of runc`;
  const commands = [...entries.map(({ name: word, summary }) => [word, summary] as const), HELP_ROW];
  const sections = [
    section('NAME', `${name} - ${ABOUT}`),
    section('USAGE', `${program} [global options] command [command options] [arguments...]`),
    section('VERSION', version),
    section('DESCRIPTION', DESCRIPTION),
    `COMMANDS:\n${table(commands)}`,
    `GLOBAL OPTIONS:\n${optionTable(flags)}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

const HELP_ROW = ['help, h', 'Show the list of commands, or help for one command'] as const;

function section(title: string, text: string): string {
  const lines = text.split('\n').map((line) => (line === '' ? '' : `   ${line}`));
  return `${title}:\n${lines.join('\n')}`;
}

function optionTable(flags: readonly Flag[]): string {
  const shown = [...flags, HELP].filter(({ later }) => later === undefined);
  return table(shown.map((flag) => [spelling(flag), describe(flag)] as const));
}

/** `--bundle DIR, -b DIR`. */
function spelling({ name, short, takes }: Flag): string {
  const value = takes === undefined ? '' : ` ${takes}`;
  return short === undefined ? `--${name}${value}` : `--${name}${value}, -${short}${value}`;
}

function describe({ help, fallback }: Flag): string {
  return fallback === undefined ? help : `${help} (default: ${fallback})`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `   ${left.padEnd(width)}  ${right}`).join('\n');
}
