// What a command of the OCI runtime is, and what it is called with.

import type { Flag } from '../frontends/flag.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { Target } from '../runtime/container.ts';
import { CaissonError } from '../spec/error.ts';
import type { Parsed } from './grammar.ts';
import type { Log } from './log.ts';

/** The options before the command. */
export interface Globals {
  /** Absolute. */
  readonly stateRoot: Bytes;
  /** Whether `--root` was there. */
  readonly rootGiven: boolean;
  readonly debug: boolean;
  /** Undefined is `auto`. */
  readonly rootless: boolean | undefined;
}

export interface Invocation {
  readonly port: Port;
  readonly parsed: Parsed;
  readonly globals: Globals;
  readonly log: Log;
  /** The first argument as a container of the state directory. Throws CaissonError EUSAGE for an empty one. */
  target(): Target;
  /** Writes to standard output. */
  out(text: Bytes): void;
}

/** A command as help and grammar see it. */
export interface CommandShape {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What follows the name in the usage, `<container-id>`. */
  readonly usage: string;
  readonly description?: string;
  readonly flags: readonly Flag[];
  readonly arguments: readonly [least: number, most: number];
  /** Options end after the first argument: the rest belongs to somebody else (exec, ps). */
  readonly stopsAtArgument?: boolean;
}

export interface OciCommand extends CommandShape {
  /** Its own failures begin with this: `runc run failed: `. */
  readonly failure?: string;
  /** What its own failures exit with; 1 else. */
  readonly failureCode?: number;
  run(invocation: Invocation): Promise<number> | number;
}

/** A name in the list of commands; nothing is loaded that is not used. */
export interface OciEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: OciCommand }>;
}

/** A wrong command line: the message, then help, as runc's. */
export function usageError(message: string): CaissonError {
  return new CaissonError(message, { code: 'EUSAGE', exitCode: 1 });
}

/** A path as the caller's working directory has it. */
export function absolute(port: Port, path: Bytes): Bytes {
  return path.startsWith('/') ? path : `${port.cwd === '/' ? '' : port.cwd}/${path}`;
}
