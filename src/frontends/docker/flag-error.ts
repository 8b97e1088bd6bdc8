// Errors about flags of `caisson run`, in docker's words.

import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { RUN_FLAGS, type RunFlagName } from './run-flags.ts';

/** `--memory 64m`: how a flag is named as the source of a field. */
export function flagSource(name: RunFlagName, value?: Bytes): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

/** `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'` */
export function invalidArgument(name: RunFlagName, value: Bytes, reason: string): CaissonError {
  const short = RUN_FLAGS.find((flag) => flag.name === name && 'short' in flag);
  const title = short !== undefined && 'short' in short ? `-${short.short}, --${name}` : `--${name}`;
  return new CaissonError(`invalid argument ${quoted(value)} for "${title}" flag: ${reason}`, {
    code: 'EUSAGE',
  });
}

/** A well-formed flag that cannot hold here, or not beside another one: `--memory 64m: reason`. */
export function flagRefused(name: RunFlagName, value: Bytes | undefined, reason: string): CaissonError {
  return new CaissonError(`${flagSource(name, value)}: ${reason}`, {
    code: 'EUSAGE',
    sources: [flagSource(name, value)],
  });
}

/** `conflicting options: --hostname and --uts host` */
export function conflictingFlags(one: string, other: string): CaissonError {
  return new CaissonError(`conflicting options: ${one} and ${other}`, {
    code: 'EUSAGE',
    sources: [one, other],
  });
}

/** What a later issue brings. */
export function comesLater(what: string, later: string): CaissonError {
  return new CaissonError(`caisson run: ${what} comes with ${later}, not there yet`, { code: 'ELATER' });
}

/** Bytes in double quotes with JSON's escapes, for control characters too; bytes that are no UTF-8 are replaced. */
export function quoted(bytes: Bytes): string {
  return utf8ToBytes(JSON.stringify(bytesToUtf8(bytes)));
}
