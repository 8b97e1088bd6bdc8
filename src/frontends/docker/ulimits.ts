// `--ulimit name=soft[:hard]`.

import type { Bytes } from '../../linux/bytes.ts';
import { parseRlimit, RLIM_INFINITY } from '../../linux/rlimits.ts';
import type { Int64, POSIXRlimit } from '../../spec/runtime-spec.ts';
import { parseInteger } from '../number.ts';
import { flagSource, invalidArgument } from './flag-error.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** `process.rlimits`; of two for one limit the last holds. */
export function compileUlimits(flags: RunFlags, recorder: Recorder): POSIXRlimit[] {
  const byType = new Map<string, Sourced<POSIXRlimit>>();
  for (const text of flags.ulimit ?? []) {
    const value = parseUlimit(text);
    byType.set(value.type, { value, source: flagSource('ulimit', text) });
  }
  return recorder.array('/process/rlimits', [...byType.values()]);
}

/** One limit; -1 and `unlimited` are RLIM_INFINITY, exactly. Throws docker's messages. */
export function parseUlimit(text: Bytes): POSIXRlimit {
  const equals = text.indexOf('=');
  if (equals < 0) throw invalidArgument('ulimit', text, `invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  const type = name === name.toLowerCase() ? parseRlimit(name) : undefined;
  if (type === undefined) throw invalidArgument('ulimit', text, `invalid ulimit type: ${name}`);
  const parts = text.slice(equals + 1).split(':');
  if (parts.length > 2)
    throw invalidArgument('ulimit', text, `too many limit value arguments - ${parts.join(':')}`);
  const soft = limit(text, parts[0] as Bytes);
  const hard = parts[1] === undefined ? soft : limit(text, parts[1]);
  if (soft > hard) {
    throw invalidArgument(
      'ulimit',
      text,
      `ulimit soft limit must be less than or equal to hard limit: ${parts[0]} > ${parts[1]}`,
    );
  }
  return { type, hard, soft };
}

function limit(text: Bytes, digits: Bytes): Int64 {
  if (digits === '-1' || digits === 'unlimited') return RLIM_INFINITY;
  const value = parseInteger(digits, 0n);
  if (value === undefined) throw invalidArgument('ulimit', text, `"${digits}" is not a limit`);
  return value;
}
