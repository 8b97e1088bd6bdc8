// Docker's command line grammar (pflag): clusters, values after `=`, `--`, and a stop at the first positional.

import type { Flag } from '../frontends/flag.ts';
import { parseBoolean } from '../frontends/number.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { CommandShape, Parsed } from './command.ts';

/** What the grammar must know of a command. */
export type Grammar = Pick<
  CommandShape,
  'name' | 'usage' | 'flags' | 'arguments' | 'stopsAtPositional' | 'singleDash'
>;

/** Every command has it. */
export const HELP_FLAG: Flag = { name: 'help', type: 'boolean', help: 'Print usage' };

/**
 * Parses `args`, the byte strings after the command's name.
 *
 * Throws CaissonError `EUSAGE` in docker's words with a line `See 'caisson run --help'.`; a flag of a later issue is
 * `ELATER`. With `--help` among the flags nothing else is checked.
 */
export function parseArguments(grammar: Grammar, args: readonly Bytes[]): Parsed {
  const reader = new Reader(grammar, args);
  const parsed = reader.read();
  if (parsed.flags.get('help') !== true) checkCount(grammar, parsed.positionals.length);
  return parsed;
}

/** A usage error of command `name`. */
export function usageError(name: string, message: string, code = 'EUSAGE'): CaissonError {
  return new CaissonError(message, { code, details: [`See '${fullName(name)} --help'.`] });
}

/** `caisson`, `caisson run`. */
export function fullName(name: string): string {
  return name === '' ? 'caisson' : `caisson ${name}`;
}

class Reader {
  private readonly flags = new Map<string, boolean | Bytes | Bytes[]>();
  private readonly positionals: Bytes[] = [];
  private readonly grammar: Grammar;
  private readonly args: readonly Bytes[];
  private at = 0;

  constructor(grammar: Grammar, args: readonly Bytes[]) {
    this.grammar = grammar;
    this.args = args;
  }

  read(): Parsed {
    while (this.at < this.args.length) {
      const arg = this.args[this.at++] as Bytes;
      if (arg === '--') {
        this.positionals.push(...this.args.slice(this.at));
        break;
      }
      if (arg.startsWith('--')) this.long(arg);
      else if (arg.startsWith('-') && arg !== '-') this.short(arg);
      else {
        this.positionals.push(arg);
        if (this.grammar.stopsAtPositional !== true) continue;
        this.positionals.push(...this.args.slice(this.at));
        break;
      }
    }
    return { flags: this.flags, positionals: this.positionals };
  }

  private long(arg: Bytes): void {
    const equals = arg.indexOf('=');
    const name = arg.slice(2, equals < 0 ? undefined : equals);
    if (name === '' || name.startsWith('-')) throw this.wrong(`bad flag syntax: ${arg}`);
    const flag = this.find((each) => each.name === name);
    if (flag === undefined) throw this.wrong(`unknown flag: --${name}`);
    if (equals >= 0) this.set(flag, arg.slice(equals + 1));
    else if (flag.type === 'boolean') this.set(flag, undefined);
    else this.set(flag, this.next(`flag needs an argument: --${name}`));
  }

  private short(arg: Bytes): void {
    if (this.grammar.singleDash === true && arg.length > 2 && this.isLong(arg.slice(1))) {
      this.long(`-${arg}`);
      return;
    }
    for (let letters = arg.slice(1); letters !== ''; letters = letters.slice(1)) {
      const letter = letters[0] as string;
      const flag = this.find((each) => each.short === letter);
      if (flag === undefined) throw this.wrong(`unknown shorthand flag: '${letter}' in -${letters}`);
      const rest = letters.slice(1);
      if (rest.startsWith('=')) {
        this.set(flag, rest.slice(1));
        return;
      }
      if (flag.type === 'boolean') {
        this.set(flag, undefined);
        continue;
      }
      this.set(flag, rest === '' ? this.next(`flag needs an argument: '${letter}' in -${letters}`) : rest);
      return;
    }
  }

  private isLong(arg: Bytes): boolean {
    const name = arg.split('=')[0];
    return this.grammar.flags.some((flag) => flag.name === name) || name === 'help';
  }

  private find(matches: (flag: Flag) => boolean): Flag | undefined {
    return this.grammar.flags.find(matches) ?? (matches(HELP_FLAG) ? HELP_FLAG : undefined);
  }

  private next(message: string): Bytes {
    const value = this.args[this.at++];
    if (value === undefined) throw this.wrong(message);
    return value;
  }

  private set(flag: Flag, value: Bytes | undefined): void {
    if (flag.later !== undefined) throw later(this.grammar.name, flag);
    if (flag.type === 'boolean') {
      const on = value === undefined ? true : parseBoolean(value);
      if (on === undefined) {
        throw this.wrong(
          `invalid argument ${quoted(value ?? '')} for ${quoted(title(flag))} flag: not a boolean`,
        );
      }
      this.flags.set(flag.name, on);
      return;
    }
    const given = value ?? '';
    if (given.includes('\0')) throw this.wrong(`--${flag.name}: a NUL byte`);
    const before = this.flags.get(flag.name);
    if (flag.type === 'value') this.flags.set(flag.name, given);
    else if (Array.isArray(before)) before.push(given);
    else this.flags.set(flag.name, [given]);
  }

  private wrong(message: string): CaissonError {
    return usageError(this.grammar.name, message);
  }
}

/** `-m, --memory`, `--cpus`. */
function title(flag: Flag): string {
  return flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
}

function later(command: string, flag: Flag): CaissonError {
  const reason =
    flag.later === 'no issue yet' ? 'is not planned yet' : `comes with ${flag.later}, not there yet`;
  return new CaissonError(`${fullName(command)}: --${flag.name} ${reason}`, { code: 'ELATER' });
}

function checkCount({ name, usage, arguments: [least, most] }: Grammar, count: number): void {
  if (count >= least && count <= most) return;
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  const wanted =
    least === most
      ? least === 0
        ? 'accepts no arguments'
        : `requires ${plural(least)}`
      : count < least
        ? `requires at least ${plural(least)}`
        : `requires at most ${plural(most)}`;
  throw new CaissonError(`'${fullName(name)}' ${wanted}`, {
    code: 'EUSAGE',
    details: [
      '',
      `Usage:  ${fullName(name)} ${usage}`.trimEnd(),
      '',
      `See '${fullName(name)} --help' for more information`,
    ],
  });
}

function quoted(bytes: Bytes): Bytes {
  return utf8ToBytes(JSON.stringify(bytesToUtf8(bytes)));
}
