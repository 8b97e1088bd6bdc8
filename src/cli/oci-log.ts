// Errors of the OCI runtime in runc's log file, where containerd and Docker look for them.

import type { Port } from '../host/port.ts';
import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { stringifyJson } from '../spec/json.ts';

/** runc's `--log` and `--log-format`. */
export interface Log {
  readonly path: Bytes;
  readonly json: boolean;
}

/** Adds one line as runc writes it. A log that cannot be written is no second error: the message was printed. */
export function appendLog(port: Port, log: Log, error: unknown, now: Date): void {
  const message = error instanceof Error ? error.message : String(error);
  const msg = error instanceof CaissonError ? message : utf8ToBytes(message);
  const time = now.toISOString();
  const line = log.json
    ? stringifyJson({ level: 'error', msg, time })
    : `time="${time}" level=error msg=${stringifyJson(msg)}`;
  const type = port.stat(log.path)?.type ?? 'file';
  if (type !== 'file') return;
  try {
    port.replaceFile(log.path, `${port.readFile(log.path) ?? ''}${line}\n`, 0o644);
  } catch {
    // Its directory is not there or not ours.
  }
}
