// runc's command line grammar (urfave/cli): one dash or two, values after `=` or a blank, no clusters, `--` ends it.

import type { Flag } from '../frontends/flag.ts';
import { parseBoolean, parseInteger } from '../frontends/number.ts';
import type { Bytes } from '../linux/bytes.ts';
import { type CommandShape, usageError } from './command.ts';
import { goQuote } from './go-quote.ts';

/** Every command has it. */
export const HELP: Flag = { name: 'help', short: 'h', type: 'boolean', help: 'Show help' };

type Value = boolean | Bytes | readonly Bytes[];

/** A parsed command line. */
export class Parsed {
  readonly words: readonly Bytes[];
  private readonly values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>, words: readonly Bytes[]) {
    this.values = values;
    this.words = words;
  }

  isSet(name: string): boolean {
    return this.values.has(name);
  }

  on(name: string): boolean {
    return this.values.get(name) === true;
  }

  /** The value of a flag; the empty one is none, as in runc. */
  text(name: string): Bytes | undefined {
    const value = this.values.get(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  list(name: string): readonly Bytes[] {
    const value = this.values.get(name);
    return typeof value === 'object' ? value : [];
  }

  /** Throws CaissonError EUSAGE for anything but a whole number that a double holds. */
  integer(name: string): number | undefined {
    const text = this.values.get(name);
    if (typeof text !== 'string') return undefined;
    const value = parseInteger(text);
    if (typeof value === 'number') return value;
    throw usageError(`invalid value ${goQuote(text)} for flag -${name}: not a whole number`);
  }
}

type Grammar = Pick<CommandShape, 'flags' | 'stopsAtArgument'>;

/** Where a global command line ends: at the command. */
export interface GlobalLine {
  readonly parsed: Parsed;
  readonly rest: readonly Bytes[];
}

/** The options before the command, and the command with what is after it. Throws CaissonError EUSAGE. */
export function parseGlobals(flags: readonly Flag[], args: readonly Bytes[]): GlobalLine {
  const values = new Map<string, Value>();
  const at = readFlags(flags, args, 0, values);
  return { parsed: new Parsed(values, []), rest: args.slice(args[at] === '--' ? at + 1 : at) };
}

/**
 * The arguments of a command, options and words in any order.
 *
 * Throws CaissonError EUSAGE: `flag provided but not defined: -x`, `flag needs an argument: --x`.
 */
export function parseCommandLine(grammar: Grammar, args: readonly Bytes[]): Parsed {
  const values = new Map<string, Value>();
  const words: Bytes[] = [];
  for (let at = 0; ; at++) {
    at = readFlags(grammar.flags, args, at, values);
    const word = args[at];
    if (word === undefined) break;
    const ends = word === '--';
    if (!ends) words.push(word);
    if (!ends && grammar.stopsAtArgument !== true) continue;
    // `exec ID -- ls -l`: the dashes are the runtime's, not the program's.
    words.push(...args.slice(at + (!ends && args[at + 1] === '--' ? 2 : 1)));
    break;
  }
  return new Parsed(values, words);
}

/** Reads flags from `at` on; the result is where the first word is that is none, or the end. */
function readFlags(
  flags: readonly Flag[],
  args: readonly Bytes[],
  start: number,
  values: Map<string, Value>,
): number {
  let at = start;
  for (; at < args.length; at++) {
    const arg = args[at] as Bytes;
    if (!isFlag(arg)) break;
    const equals = arg.indexOf('=');
    const name = arg.slice(arg.startsWith('--') ? 2 : 1, equals < 0 ? undefined : equals);
    const flag = [...flags, HELP].find((each) => each.name === name || each.short === name);
    if (flag === undefined) throw usageError(`flag provided but not defined: -${name}`);
    if (equals >= 0) set(values, flag, arg.slice(equals + 1));
    else if (flag.type === 'boolean') values.set(flag.name, true);
    else {
      const value = args[++at];
      if (value === undefined) throw usageError(`flag needs an argument: ${arg}`);
      set(values, flag, value);
    }
  }
  return at;
}

/** `-1` is a word (an update of no limit has it as a value), and so is a lone dash. */
function isFlag(arg: Bytes): boolean {
  return /^--?[a-zA-Z]/.test(arg);
}

function set(values: Map<string, Value>, flag: Flag, value: Bytes): void {
  if (flag.type === 'boolean') {
    const on = parseBoolean(value);
    if (on === undefined)
      throw usageError(`invalid value ${goQuote(value)} for flag -${flag.name}: not a boolean`);
    values.set(flag.name, on);
  } else if (flag.type === 'value') {
    values.set(flag.name, value);
  } else {
    const before = values.get(flag.name);
    values.set(flag.name, [...(typeof before === 'object' ? before : []), value]);
  }
}
