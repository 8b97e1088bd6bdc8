// The runs of a container: the record of the present one, and how the last one ended.
//
//   containers/<id>/run.json     written before each start: number, boot, when, whether somebody wants it stopped
//   containers/<id>/exit         by the monitor, when the first process has ended: "RUN CODE SIGNAL SECONDS NANOSECONDS"
//   containers/<id>/exited.json  by whoever tidied up afterwards: the same with what the cgroups told
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseOwnJson, stringifyJson } from '../../spec/json.ts';

export interface RunRecord {
  /** Counted from 1. */
  readonly number: number;
  readonly bootId: Bytes;
  /** RFC 3339, UTC. */
  readonly startedAt: Bytes;
  /** The same in milliseconds of CLOCK_MONOTONIC, for times that a change of the clock must not alter. */
  readonly since?: number;
  /** How often the restart policy has started it since a person did. */
  readonly restarts: number;
  /** Milliseconds before the next start by the policy. */
  readonly backoff: number;
  /** Somebody has asked it to stop: the policy does not start it again. */
  readonly stopped?: boolean;
}

export interface ExitRecord {
  /** The number of the run. */
  readonly run: number;
  /** Exit code, or 128 + the signal; -1 where nobody knows. */
  readonly code: number;
  readonly signal: number;
  readonly oom: boolean;
  /** RFC 3339, UTC. */
  readonly time: Bytes;
  /** What went wrong, where the program never ran or its end is unknown. */
  readonly error?: Bytes;
}

/** The exit code of a container whose end nobody saw. */
export const UNKNOWN_CODE = -1;

export function readRun(port: Pick<Port, 'readFile'>, place: Bytes): RunRecord | undefined {
  const value = readJson(port, `${place}/run.json`);
  if (value === undefined) return undefined;
  const { number, bootId, startedAt, since, restarts, backoff, stopped } = value;
  if (typeof number !== 'number' || typeof bootId !== 'string' || typeof startedAt !== 'string')
    return undefined;
  if (typeof restarts !== 'number' || typeof backoff !== 'number') return undefined;
  return {
    ...{ number, bootId, startedAt, restarts, backoff },
    ...(typeof since === 'number' ? { since } : {}),
    ...(stopped === true ? { stopped } : {}),
  };
}

/** Milliseconds since the start of a run of this boot, whatever the clock was set to meanwhile. */
export function ranFor(port: Pick<Port, 'monotonic'>, { since, startedAt }: RunRecord): number {
  return since === undefined ? Date.now() - Date.parse(startedAt) : port.monotonic() / 1e6 - since;
}

export function writeRun(port: Port, place: Bytes, run: RunRecord): void {
  port.replaceFile(`${place}/run.json`, stringifyJson(run), 0o600);
}

/** How the run of that number ended; undefined while nobody has tidied up after it. */
export function readExited(port: Pick<Port, 'readFile'>, place: Bytes): ExitRecord | undefined {
  const value = readJson(port, `${place}/exited.json`);
  if (value === undefined) return undefined;
  const { run, code, signal, oom, time, error } = value;
  if (typeof run !== 'number' || typeof code !== 'number' || typeof signal !== 'number') return undefined;
  if (typeof oom !== 'boolean' || typeof time !== 'string') return undefined;
  return { run, code, signal, oom, time, ...(typeof error === 'string' ? { error } : {}) };
}

export function writeExited(port: Port, place: Bytes, exited: ExitRecord): void {
  port.replaceFile(`${place}/exited.json`, stringifyJson(exited), 0o600);
}

/** What the monitor wrote; undefined where it has not, or of another run. A torn record is none. */
export function readExit(port: Pick<Port, 'readFile'>, place: Bytes, run: number): ExitRecord | undefined {
  // Its room on the disk was taken beforehand: zeros come after the line.
  const [line = ''] = (readable(port, `${place}/exit`, 4096) ?? '').split('\n');
  const words = line.split(' ').map(Number);
  const [number, code, signal, seconds, nanoseconds] = words;
  if (words.length !== 5 || words.some((word) => !Number.isSafeInteger(word) || word < 0)) return undefined;
  if (number !== run || code === undefined || signal === undefined) return undefined;
  if ((seconds ?? 0) > LAST_SECOND) return undefined;
  return { run, code, signal, oom: false, time: preciseTime(seconds ?? 0, nanoseconds ?? 0) };
}

/** Of the year 9999: RFC 3339 has no later one. */
const LAST_SECOND = 253_402_300_799;

/** RFC 3339 with nanoseconds, as docker writes it. */
export function preciseTime(seconds: number, nanoseconds: number): Bytes {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(nanoseconds).padStart(9, '0')}Z`;
}

/** What is no file, or too large for one of ours, tells nothing. */
function readable(port: Pick<Port, 'readFile'>, path: Bytes, limit: number): Bytes | undefined {
  try {
    return port.readFile(path, limit);
  } catch {
    return undefined;
  }
}

function readJson(port: Pick<Port, 'readFile'>, path: Bytes): Record<string, unknown> | undefined {
  const text = readable(port, path, 1 << 20);
  if (text === undefined) return undefined;
  try {
    const value = parseOwnJson(text, path);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}
