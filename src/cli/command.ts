// What a command is, as data: from this come parsing, help, completion and manual pages.

import type { Flag, RawFlags } from '../frontends/flag.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { Context } from './context.ts';

/** A parsed command line: flags by name, and what is left. */
export interface Parsed {
  readonly flags: RawFlags;
  readonly positionals: readonly Bytes[];
}

/** What every command says about itself. */
export interface CommandShape {
  /** With its parents: `cgroup ls`. */
  readonly name: string;
  /** One line, for lists of commands. */
  readonly summary: string;
  /** What follows the name in `Usage:`, `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** Longer text, below the summary in help. */
  readonly description?: string;
  /** Command lines to show, without the prompt. */
  readonly examples?: readonly string[];
  /** Words for completion of the positionals, or `file`, `directory`. */
  readonly completes?: readonly string[] | 'file' | 'directory';
  /** Least and most positionals. */
  readonly arguments: readonly [least: number, most: number];
  /** Flags end at the first positional: the rest belongs to somebody else (docker run, docker exec). */
  readonly stopsAtPositional?: boolean;
  /** `-name` is `--name` too, as Go's flag package has it (runc). */
  readonly singleDash?: boolean;
  /** Not in lists of commands. */
  readonly hidden?: boolean;
}

/** A command that does something; its exit code is the result. */
export interface Command extends CommandShape {
  run(parsed: Parsed, context: Context): Promise<number> | number;
}

/** A name in a list of commands, and how to get at the command: nothing is loaded that is not used. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: boolean;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Commands under one name, `caisson cgroup`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: boolean;
  readonly flags: readonly Flag[];
  readonly commands: readonly CommandEntry[];
  readonly singleDash?: boolean;
}

/** A command line of its own: what is here serves completion, manual pages and lists. */
export interface ForwardedGroup extends Omit<CommandGroup, 'commands'> {
  readonly commands: readonly (Omit<CommandEntry, 'load'> & {
    readonly load: () => Promise<{ readonly command: CommandShape }>;
  })[];
  /** Runs the words after the group's name; the result is the exit code. Reports its own errors. */
  readonly forward: (args: readonly Bytes[], context: Context) => Promise<number>;
}

/** An entry of the top list: a command, or a group of them. */
export type RootEntry =
  | CommandEntry
  | { readonly name: string; readonly summary: string; readonly group: CommandGroup | ForwardedGroup };

/** All of a command line: what help, completion and manual pages are made from. */
export interface Catalogue {
  readonly summary: string;
  /** The options before the command. */
  readonly flags: readonly Flag[];
  readonly entries: readonly RootEntry[];
}

/** A flag's value of the wanted type; the grammar has put it there. */
export function flagOn(parsed: Parsed, name: string): boolean {
  return parsed.flags.get(name) === true;
}

export function flagText(parsed: Parsed, name: string): Bytes | undefined {
  const found = parsed.flags.get(name);
  return typeof found === 'string' ? found : undefined;
}

export function flagList(parsed: Parsed, name: string): readonly Bytes[] {
  const found = parsed.flags.get(name);
  return Array.isArray(found) ? (found as readonly Bytes[]) : [];
}
