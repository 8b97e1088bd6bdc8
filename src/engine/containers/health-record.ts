// What the last health checks of a container said: `containers/<id>/health.json`.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson } from '../../spec/json.ts';
import type { ContainerFile } from './container-file.ts';
import type { RunRecord } from './run-record.ts';

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** One check, as `inspect` shows it. */
export interface HealthLog {
  /** RFC 3339. */
  readonly Start: Bytes;
  readonly End: Bytes;
  /** -1 where it took too long. */
  readonly ExitCode: number;
  readonly Output: Bytes;
}

export interface Health {
  /** The number of the run that it is about. */
  readonly run: number;
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last five. */
  readonly log: readonly HealthLog[];
}

/** The health of a run; a container that has just been started is starting. undefined without a check. */
export function healthOf(
  port: Pick<Port, 'readFile'>,
  place: Bytes,
  file: Pick<ContainerFile, 'health'>,
  run: RunRecord | undefined,
): Health | undefined {
  if (file.health === undefined || run === undefined) return undefined;
  const found = readHealth(port, place);
  return found?.run === run.number
    ? found
    : { run: run.number, status: 'starting', failingStreak: 0, log: [] };
}

function readHealth(port: Pick<Port, 'readFile'>, place: Bytes): Health | undefined {
  const text = port.readFile(`${place}/health.json`, 1 << 20);
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    return isHealth(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

function isHealth(value: unknown): value is Health {
  if (!isObject(value) || !Array.isArray(value.log)) return false;
  return (
    typeof value.run === 'number' &&
    typeof value.status === 'string' &&
    typeof value.failingStreak === 'number'
  );
}
