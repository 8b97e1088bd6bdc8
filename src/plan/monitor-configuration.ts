// The configuration of a monitor as bytes (monitor-wire.ts): fields of 64 bits, then the words that they refer to.
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { MESSAGE_KEYS, MONITOR, MONITOR_FIELDS, MONITOR_TIMERS, TIMER_FIELDS } from './monitor-wire.ts';

/** A command that runs again and again, times in milliseconds. */
export interface MonitorTimer {
  /** Until it runs first. */
  readonly first: number;
  /** Until it runs again after it has ended with 0, or otherwise; 0: never. */
  readonly interval: number;
  readonly intervalAfterFailure: number;
  /** Program, by its absolute path, and arguments. */
  readonly command: readonly Bytes[];
}

/** Where a monitor logs. */
export interface MonitorLog {
  readonly driver: 'none' | 'json-file' | 'k8s-file';
  /** The name of the file in the container's directory. */
  readonly name: Bytes;
  /** Bytes after which it is rotated, 0: never. */
  readonly size: number;
  /** How many files are kept, at least 1. */
  readonly files: number;
}

/** What TypeScript decides for a monitor. */
export interface MonitorConfiguration {
  /** The number of this run, which comes back in the exit record. */
  readonly run: number;
  readonly durable: boolean;
  readonly log: MonitorLog;
  /** `NAME=value` of its commands. */
  readonly environment: readonly Bytes[];
  /** What the monitor becomes when the container has ended; empty: it leaves. */
  readonly exitCommand: readonly Bytes[];
  /** Milliseconds between the two. */
  readonly exitDelay: number;
  /** Key codes by which the attached command leaves, at most eight. */
  readonly keys: readonly number[];
  /** At most two. */
  readonly timers: readonly MonitorTimer[];
}

/** What the plan knows of its descriptors. */
export interface MonitorShape {
  readonly terminal: boolean;
  readonly input: boolean;
  /** `attached` of the configuration. */
  readonly attached: number;
}

const DRIVERS = { none: MONITOR.LOG_NONE, 'json-file': MONITOR.LOG_JSON, 'k8s-file': MONITOR.LOG_K8S };

/** The words of all lists, one after the other. */
class Words {
  private readonly words: Bytes[] = [];

  /** The number of the list's first word; 0 of an empty one. */
  add(list: readonly Bytes[]): number {
    if (list.length === 0) return 0;
    const first = this.words.length + 1;
    this.words.push(...list, '');
    return first;
  }

  /** An environment may be empty; it is a list all the same. */
  addList(list: readonly Bytes[]): number {
    const first = this.words.length + 1;
    this.words.push(...list, '');
    return first;
  }

  text(): Bytes {
    return this.words.map((word) => `${word}\0`).join('');
  }

  get count(): number {
    return this.words.length;
  }
}

/** Throws CaissonError `EUSAGE` where commands and environment are longer than a monitor takes. */
export function encodeMonitor(configuration: MonitorConfiguration, shape: MonitorShape): Bytes {
  const words = new Words();
  const { log, timers } = configuration;
  const fields: Record<(typeof MONITOR_FIELDS)[number], number> = {
    magic: MONITOR.MAGIC,
    run: configuration.run,
    terminal: shape.terminal ? 1 : 0,
    input: shape.input ? 1 : 0,
    attached: shape.attached,
    keys: 0,
    key_count: Math.min(configuration.keys.length, MESSAGE_KEYS),
    durable: configuration.durable ? 1 : 0,
    log_driver: DRIVERS[log.driver],
    log_size: log.size,
    log_files: log.files,
    log_name: words.add([log.name]),
    environment: words.addList(configuration.environment),
    exit_command: words.add(configuration.exitCommand),
    exit_delay: configuration.exitDelay,
    text_length: 0,
  };
  const timed = Array.from({ length: MONITOR_TIMERS }, (_, index) => timerFields(timers[index], words));
  const text = words.text();
  if (text.length > MONITOR.TEXT || words.count >= MONITOR.VECTOR - 1) {
    throw new CaissonError(
      `the paths of this engine are too long for a monitor: ${text.length} bytes, at most ${MONITOR.TEXT}`,
      { code: 'EUSAGE' },
    );
  }
  fields.text_length = text.length;
  const values = [...MONITOR_FIELDS.map((name) => fields[name]), ...timed.flat()];
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, each] of values.entries()) {
    view.setUint32(8 * index, each >>> 0, true);
    view.setUint32(8 * index + 4, Math.floor(each / 2 ** 32), true);
  }
  bytes.set(configuration.keys.slice(0, MESSAGE_KEYS), 8 * MONITOR_FIELDS.indexOf('keys'));
  return fromArray(bytes, 0, bytes.length) + text;
}

function timerFields(timer: MonitorTimer | undefined, words: Words): number[] {
  const fields: Record<(typeof TIMER_FIELDS)[number], number> = {
    first: timer?.first ?? 0,
    interval: timer?.interval ?? 0,
    interval_after_failure: timer?.intervalAfterFailure ?? 0,
    command: timer === undefined ? 0 : words.add(timer.command),
  };
  return TIMER_FIELDS.map((name) => fields[name]);
}
