// The flags that say what the engine does with a container beside running it: restarts, logs, health, its end.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseDuration, parseSize } from '../number.ts';
import type { ImageConfig } from './facts.ts';
import { conflictingFlags, flagSource, invalidArgument } from './flag-error.ts';
import type { RunFlagName, RunFlags } from './run-flags.ts';

/** When a container that has ended is started again. */
export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** Of `on-failure`: how often, 0 without a limit. */
  readonly maximum: number;
}

/** Where its output goes. */
export interface LogChoice {
  readonly driver: 'json-file' | 'k8s-file' | 'none';
  /** As given. */
  readonly options: Readonly<Record<Bytes, Bytes>>;
  /** Bytes after which the file is rotated, 0: never. */
  readonly size: number;
  /** Files, the current one included. */
  readonly files: number;
}

/** How its health is looked at; times in milliseconds. */
export interface HealthCheck {
  /** `['CMD', ...]` or `['CMD-SHELL', command]`. */
  readonly test: readonly Bytes[];
  readonly interval: number;
  readonly timeout: number;
  /** Failures in a row that make it unhealthy. */
  readonly retries: number;
  /** Failures in so many milliseconds after the start do not count. */
  readonly startPeriod: number;
  /** The interval during that time. */
  readonly startInterval: number;
}

export interface EngineSettings {
  readonly restart: RestartPolicy;
  readonly log: LogChoice;
  readonly health: HealthCheck | undefined;
  /** Milliseconds that `stop` waits before it kills. */
  readonly stopTimeout: number;
}

/** Throws docker's messages. */
export function engineSettings(flags: RunFlags, image: ImageConfig): EngineSettings {
  const restart = restartPolicy(flags);
  if (restart.name !== 'no' && flags.rm === true)
    throw conflictingFlags(flagSource('restart', flags.restart), '--rm');
  return {
    restart,
    log: logChoice(flags),
    health: healthCheck(flags, image),
    stopTimeout: stopTimeout(flags, image),
  };
}

/** `on-failure:5`. Throws CaissonError `EUSAGE`. */
export function parseRestartPolicy(text: Bytes): RestartPolicy | undefined {
  const [name = '', count, ...more] = text.split(':');
  if (more.length > 0) return undefined;
  if (name === 'on-failure') {
    if (count !== undefined && !/^[0-9]{1,9}$/.test(count)) return undefined;
    return { name, maximum: Number(count ?? 0) };
  }
  if (count !== undefined) return undefined;
  if (name === '' || name === 'no') return { name: 'no', maximum: 0 };
  return name === 'always' || name === 'unless-stopped' ? { name, maximum: 0 } : undefined;
}

function restartPolicy({ restart }: RunFlags): RestartPolicy {
  if (restart === undefined) return { name: 'no', maximum: 0 };
  const policy = parseRestartPolicy(restart);
  if (policy !== undefined) return policy;
  throw invalidArgument(
    'restart',
    restart,
    'invalid restart policy: use no, always, unless-stopped, or on-failure[:max-retries]',
  );
}

const DRIVERS = ['json-file', 'k8s-file', 'none'] as const;
/** Options of docker's that change nothing here, or are shown by `inspect` alone. */
const NOTED = ['labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'max-buffer-size'];

function logChoice(flags: RunFlags): LogChoice {
  const asked = flags.logDriver ?? 'json-file';
  const driver = DRIVERS.find((each) => each === asked);
  if (driver === undefined) {
    throw invalidArgument('log-driver', asked, `unknown log driver: there are ${DRIVERS.join(', ')}`);
  }
  const options: Record<Bytes, Bytes> = {};
  for (const text of flags.logOpt ?? []) {
    const equals = text.indexOf('=');
    if (equals <= 0) throw invalidArgument('log-opt', text, 'the form is NAME=VALUE');
    options[text.slice(0, equals)] = text.slice(equals + 1);
  }
  if (driver === 'none') return { driver, options, size: 0, files: 1 };
  const size = logSize(options['max-size']);
  const files = logFiles(options['max-file']);
  if (files > 1 && size === 0)
    throw invalidArgument('log-opt', `max-file=${files}`, 'max-file needs max-size, or nothing is ever full');
  for (const [name, value] of Object.entries(options)) refuseUnknown(name, value);
  return { driver, options, size, files };
}

function refuseUnknown(name: Bytes, value: Bytes): void {
  if (name === 'max-size' || name === 'max-file' || NOTED.includes(name)) return;
  if (name === 'compress' && (value === 'false' || value === '0')) return;
  throw invalidArgument('log-opt', `${name}=${value}`, `unknown log opt '${name}'`);
}

function logSize(text: Bytes | undefined): number {
  if (text === undefined || text === '-1') return 0;
  const size = Number(parseSize(text) ?? Number.NaN);
  if (size > 0) return size;
  throw invalidArgument('log-opt', `max-size=${text}`, 'a size such as 10m, or -1 for no limit');
}

function logFiles(text: Bytes | undefined): number {
  if (text === undefined) return 1;
  if (/^[1-9][0-9]{0,4}$/.test(text)) return Number(text);
  throw invalidArgument('log-opt', `max-file=${text}`, 'a number from 1 on');
}

/** docker's defaults, in milliseconds. */
const HEALTH = { interval: 30_000, timeout: 30_000, retries: 3, startPeriod: 0, startInterval: 5000 };

function healthCheck(flags: RunFlags, image: ImageConfig): HealthCheck | undefined {
  const given: RunFlagName[] = [
    ...(flags.healthCmd === undefined ? [] : (['health-cmd'] as const)),
    ...(flags.healthInterval === undefined ? [] : (['health-interval'] as const)),
  ];
  if (flags.noHealthcheck === true) {
    if (given[0] !== undefined) throw conflictingFlags('--no-healthcheck', `--${given[0]}`);
    return undefined;
  }
  const own = image.Healthcheck;
  const test = flags.healthCmd === undefined ? (own?.test ?? []) : ['CMD-SHELL', flags.healthCmd];
  if (test.length < 2 || test[0] === 'NONE') return undefined;
  const time = (name: RunFlagName, text: Bytes | undefined, image_: number | undefined, fallback: number) =>
    text === undefined
      ? image_ === undefined || image_ === 0
        ? fallback
        : image_ / 1e6
      : duration(name, text);
  return {
    test,
    interval: time('health-interval', flags.healthInterval, own?.interval, HEALTH.interval),
    timeout: time('health-timeout', flags.healthTimeout, own?.timeout, HEALTH.timeout),
    startPeriod: time('health-start-period', flags.healthStartPeriod, own?.startPeriod, HEALTH.startPeriod),
    startInterval: time(
      'health-start-interval',
      flags.healthStartInterval,
      own?.startInterval,
      HEALTH.startInterval,
    ),
    retries: retries(flags, own?.retries),
  };
}

function retries({ healthRetries }: RunFlags, image: number | undefined): number {
  if (healthRetries === undefined) return image === undefined || image === 0 ? HEALTH.retries : image;
  if (/^[0-9]{1,9}$/.test(healthRetries)) return Number(healthRetries) || HEALTH.retries;
  throw invalidArgument('health-retries', healthRetries, 'a number');
}

function duration(name: RunFlagName, text: Bytes): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw invalidArgument(name, text, 'a duration such as 1m30s');
  if (milliseconds !== 0 && milliseconds < 1) throw invalidArgument(name, text, 'at least one millisecond');
  return milliseconds === 0 && name === 'health-interval' ? HEALTH.interval : milliseconds;
}

/** docker's: 10 s, -1 waits for ever. */
function stopTimeout({ stopTimeout: text }: RunFlags, image: ImageConfig): number {
  const seconds = text ?? (image.StopTimeout === undefined ? '10' : String(image.StopTimeout));
  if (!/^(?:-1|[0-9]{1,9})$/.test(seconds)) {
    throw new CaissonError(`invalid argument "${seconds}" for "--stop-timeout" flag: a number of seconds`, {
      code: 'EUSAGE',
    });
  }
  return seconds === '-1' ? -1 : Number(seconds) * 1000;
}
