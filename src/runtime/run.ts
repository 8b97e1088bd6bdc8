// An attached run from claim to clean-up: record, start, wait, and taking back whatever the start has made.
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { removeCgroups } from './cgroup.ts';
import { Player } from './player.ts';
import type { Prepared } from './prepare.ts';
import { type Exit, type Running, start } from './start.ts';
import { bootId, claim, identify, STATE_VERSION } from './state.ts';

/** What happens while a container runs; each is called once. */
export interface RunEvents {
  /** The program has been executed. */
  readonly started?: (running: Running) => void | Promise<void>;
}

export interface RunOptions {
  readonly stateRoot: Bytes;
  readonly bundle?: Bytes;
  readonly trace?: boolean;
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
  claim(port, options.stateRoot, {
    version: STATE_VERSION,
    id,
    bootId: bootId(port),
    keeper: identify(port, port.pid),
    cgroups,
    ...(options.bundle === undefined ? {} : { bundle: options.bundle }),
  });
  try {
    const running = await start(port, player, prepared.spec, prepared.plan, options.trace);
    await events.started?.(running);
    return await running.wait();
  } finally {
    await removeCgroups(port, player, cgroups);
    port.remove(`${options.stateRoot}/${id}`);
  }
}
