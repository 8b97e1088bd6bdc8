// An attached run from claim to clean-up: record, start, wait, and taking back whatever the start has made.
import type { Cgroup } from '../cgroups/path.ts';
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Reservation } from '../spec/reservation.ts';
import { outOfMemory } from './oom.ts';
import { releaseParents, removeParents } from './parents.ts';
import { Player } from './player.ts';
import type { Prepared } from './prepare.ts';
import { processLimit } from './process-limit.ts';
import { afterFailure, takeBack } from './removal.ts';
import { type Exit, type Running, start } from './start.ts';
import {
  bootId,
  type ContainerRecord,
  claim,
  identify,
  refuseTakenName,
  type ShownRun,
  STATE_VERSION,
  write,
} from './state.ts';

/** What happens while a container runs; each is called once. */
export interface RunEvents {
  /** The program has been executed. */
  readonly started?: (running: Running) => void | Promise<void>;
  /** The container's mounts are made, its program does not run yet; its process id. */
  readonly hooks?: (pid: number) => Promise<void>;
}

export interface RunOptions {
  readonly stateRoot: Bytes;
  readonly name?: Bytes;
  readonly labels?: Readonly<Record<Bytes, Bytes>>;
  readonly stopSignal?: number;
  readonly bundle?: Bytes;
  readonly shown?: ShownRun;
  /** It has been let in. */
  readonly reserved?: Reservation;
  readonly trace?: boolean;
  /** Written into the state directory's place before the start: hosts, resolv.conf, hostname. */
  readonly files?: readonly { readonly path: Bytes; readonly content: Bytes; readonly mode?: number }[];
  /** The id is the caller's already (`claim`). */
  readonly claimed?: boolean;
}

/** The record of a container that is about to be started. */
export function recordOf(
  port: Port,
  prepared: Pick<Prepared, 'id' | 'cgroups' | 'madeParents'>,
  options: RunOptions,
  launcher: number,
): ContainerRecord {
  return {
    version: STATE_VERSION,
    id: prepared.id,
    bootId: bootId(port),
    keeper: identify(port, port.pid),
    launcher: identify(port, launcher),
    cgroups: prepared.cgroups,
    ...(prepared.madeParents.length === 0 ? {} : { madeParents: prepared.madeParents }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(options.stopSignal === undefined ? {} : { stopSignal: options.stopSignal }),
    ...(options.bundle === undefined ? {} : { bundle: options.bundle }),
    ...(options.shown === undefined ? {} : { shown: options.shown }),
    ...(options.reserved === undefined ? {} : { reserved: options.reserved }),
  };
}

/** What the caller does once the program runs must not fail and leave the program running. */
async function begin(running: Running, { started }: RunEvents): Promise<void> {
  try {
    await started?.(running);
  } catch (error) {
    await running.signal(SIGNALS.SIGKILL);
    await running.wait();
    throw error;
  }
}

/** Runs a prepared container until its end. Whatever happens, nothing of it is left when this returns or throws. */
export async function runAttached(
  port: Port,
  channel: Channel,
  prepared: Prepared,
  options: RunOptions,
  events: RunEvents = {},
): Promise<Exit> {
  const { id, cgroups } = prepared;
  const player = new Player(port, channel);
  const record = recordOf(port, prepared, options, player.pid);
  if (options.claimed) {
    write(port, options.stateRoot, record);
    refuseTakenName(port, options.stateRoot, record);
  } else claim(port, options.stateRoot, record);
  const cleanUp = async () => {
    await takeBack(port, player, cgroups);
    await removeParents(port, player, options.stateRoot, record);
    port.remove(`${options.stateRoot}/${id}`);
  };
  let exit: Exit;
  try {
    for (const { path, content, mode } of options.files ?? []) port.replaceFile(path, content, mode ?? 0o644);
    const running = await start(port, player, prepared, {
      ...(options.trace === undefined ? {} : { trace: options.trace }),
      ...(events.hooks === undefined ? {} : { hooks: events.hooks }),
    }).catch(async (error: unknown) => {
      await releaseParents(player, prepared.guard);
      throw error;
    });
    await begin(running, events);
    exit = await explained(player, cgroups, await running.wait());
  } catch (error) {
    // The record names what is left, for `system repair`.
    await afterFailure(() => undefined, cleanUp);
    throw error;
  }
  await cleanUp();
  return exit;
}

/** The end of a container with what its cgroups, which must be there still, tell of it. */
export async function explained(player: Player, cgroups: readonly Cgroup[], exit: Exit): Promise<Exit> {
  const oom = await outOfMemory(player, cgroups, exit);
  const processes = await processLimit(player, cgroups, exit);
  return {
    ...exit,
    ...(oom === undefined ? {} : { oom }),
    ...(processes === undefined ? {} : { processes }),
  };
}
