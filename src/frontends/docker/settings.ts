// What the flags say about the run and not about the container's configuration: name, labels, stop signal, ...

import type { Bytes } from '../../linux/bytes.ts';
import { parseSignal } from '../../linux/signals.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Reservation, ReservationSources } from '../../spec/reservation.ts';
import { parseDuration } from '../number.ts';
import type { HostAction } from './bind-options.ts';
import { type EngineSettings, engineSettings } from './engine-settings.ts';
import { keyValueLines } from './environment.ts';
import type { FrontendFacts, ImageConfig } from './facts.ts';
import { conflictingFlags, flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import { absoluteHostPath } from './mount-paths.ts';
import { reservationOf, reservationSources } from './reservation.ts';
import type { RunFlags } from './run-flags.ts';

/** For the engine. */
export interface RunSettings extends EngineSettings {
  readonly name: Bytes | undefined;
  readonly remove: boolean;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  readonly interactive: boolean;
  readonly terminal: boolean;
  /** An init as PID 1 that forwards signals and reaps. */
  readonly init: boolean;
  readonly forwardSignals: boolean;
  /** Signal number. */
  readonly stopSignal: number;
  /** The stop signal that was asked for: it comes first when the time of --timeout is over. */
  readonly timeoutSignal: number | undefined;
  /** Milliseconds after which the container is killed; undefined: never. */
  readonly timeout: number | undefined;
  /** Absolute path; the run fails before the start when it exists. */
  readonly cidfile: Bytes | undefined;
  /** Key codes that detach, in order; empty: none. */
  readonly detachKeys: readonly number[];
  readonly trace: boolean;
  readonly showSecrets: boolean;
  /** Absolute host paths. */
  readonly rootfs: Bytes | undefined;
  readonly rootfsTar: Bytes | undefined;
  readonly upper: Bytes | undefined;
  /** Labels and owners of bind sources to set before the start. */
  readonly hostActions: readonly HostAction[];
  /** What it holds of the host while it runs; undefined: nothing. */
  readonly reservation: Reservation | undefined;
  /** The flags that ask for it. */
  readonly reservedBy: ReservationSources;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** The settings; throws docker's messages. */
export function compileSettings(
  flags: RunFlags,
  image: ImageConfig,
  facts: FrontendFacts,
  hostActions: readonly HostAction[],
): RunSettings {
  const path = (text: Bytes | undefined): Bytes | undefined =>
    text === undefined ? undefined : absoluteHostPath(text, facts.cwd);
  if (flags.rootfs !== undefined && flags.rootfsTar !== undefined) {
    throw conflictingFlags(flagSource('rootfs', flags.rootfs), flagSource('rootfs-tar', flags.rootfsTar));
  }
  return {
    ...engineSettings(flags, image),
    name: containerName(flags),
    remove: flags.rm === true,
    labels: labels(flags, image, facts),
    interactive: flags.interactive === true,
    terminal: flags.tty === true,
    init: flags.init === true,
    forwardSignals: flags.sigProxy ?? true,
    stopSignal: stopSignal(flags, image),
    timeoutSignal: flags.stopSignal === undefined ? undefined : stopSignal(flags, image),
    timeout: timeout(flags),
    cidfile: path(flags.cidfile),
    detachKeys: parseDetachKeys(flags.detachKeys ?? 'ctrl-p,ctrl-q'),
    trace: flags.trace === true,
    showSecrets: flags.showSecrets === true,
    rootfs: path(flags.rootfs),
    rootfsTar: path(flags.rootfsTar),
    upper: path(flags.upper),
    hostActions,
    reservation: reservationOf(flags),
    reservedBy: reservationSources(flags),
  };
}

/** For a name that is no flag's. Throws CaissonError `EUSAGE` in docker's words. */
export function checkName(name: Bytes): void {
  if (NAME.test(name)) return;
  throw new CaissonError(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
    code: 'EUSAGE',
    exitCode: 1,
  });
}

function containerName(flags: RunFlags): Bytes | undefined {
  const { name } = flags;
  if (name === undefined || NAME.test(name)) return name;
  throw invalidArgument(
    'name',
    name,
    `invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

function labels(flags: RunFlags, image: ImageConfig, facts: FrontendFacts): Readonly<Record<Bytes, Bytes>> {
  const found = new Map<Bytes, Bytes>(Object.entries(image.Labels ?? {}));
  const add = (text: Bytes): void => {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === '') throw invalidArgument('label', text, `invalid label '${text}': empty name`);
    found.set(name, equals < 0 ? '' : text.slice(equals + 1));
  };
  for (const file of flags.labelFile ?? []) {
    for (const { text } of keyValueLines('label-file', file, facts)) add(text);
  }
  for (const text of flags.label ?? []) add(text);
  return Object.fromEntries(found);
}

function stopSignal(flags: RunFlags, image: ImageConfig): number {
  if (flags.stopSignal !== undefined) {
    const signal = parseSignal(flags.stopSignal);
    if (signal === undefined) {
      throw invalidArgument('stop-signal', flags.stopSignal, `invalid signal: ${flags.stopSignal}`);
    }
    return signal;
  }
  // An image's signal is untrusted input: an unknown one is as none.
  return parseSignal(image.StopSignal ?? 'SIGTERM') ?? 15;
}

function timeout(flags: RunFlags): number | undefined {
  if (flags.timeout === undefined) return undefined;
  const milliseconds = parseDuration(flags.timeout);
  if (milliseconds === undefined) {
    throw invalidArgument('timeout', flags.timeout, 'neither seconds nor a duration such as 1m30s');
  }
  // podman's: 0 is none.
  return milliseconds === 0 ? undefined : milliseconds;
}

/** `ctrl-p,ctrl-q` as key codes; `''` is none. Throws docker's message. */
export function parseDetachKeys(text: Bytes): number[] {
  if (text === '') return [];
  return text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const match = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
    if (match === null)
      throw flagRefused('detach-keys', text, `invalid detach keys: unknown character: '${key}'`);
    // The control characters of ascii(7): @ is 0, a..z 1..26, [ \ ] ^ _ 27..31.
    return (match[1] as string).toUpperCase().charCodeAt(0) - 64;
  });
}
