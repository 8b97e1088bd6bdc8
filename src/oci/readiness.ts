// A service manager that waits for the container to be ready, around the commands that start one.

import type { Port } from '../host/port.ts';
import { readContainer, type Target } from '../runtime/container.ts';
import { NotifyRelay } from '../runtime/notify-socket.ts';
import { CaissonError } from '../spec/error.ts';
import { notifyDirectory, notifySocket } from './inherited.ts';

/** Makes the place of the container's socket for the time of `create`, which leaves it to `start` and `delete`. */
export async function besideSocket<T>(port: Port, target: Target, create: () => Promise<T>): Promise<T> {
  if (notifySocket(port) === undefined) return create();
  const directory = notifyDirectory(target);
  port.makeDirectory(directory);
  try {
    return await create();
  } catch (error) {
    port.remove(directory);
    throw error;
  }
}

/** Starts a container, and returns when it is ready or has ended. */
export async function untilReady<T>(port: Port, target: Target, start: () => Promise<T>): Promise<T> {
  const manager = notifySocket(port);
  const directory = notifyDirectory(target);
  if (manager === undefined || port.stat(directory) === undefined) return start();
  const relay = await NotifyRelay.bind(port, directory, manager);
  try {
    const result = await start();
    const { oci } = readContainer(port, target).record;
    await relay.forward(oci.init?.pid ?? 0, () => hasEnded(port, target));
    return result;
  } finally {
    await relay.close();
  }
}

/** Runs a container to its end, and tells meanwhile when it is ready; this process is then the service's. */
export async function whileReady<T>(
  port: Port,
  target: Target,
  run: () => Promise<T>,
  warn: (message: string) => void,
): Promise<T> {
  const manager = notifySocket(port);
  if (manager === undefined) return run();
  const directory = notifyDirectory(target);
  port.makeDirectory(directory);
  let over = false;
  let told = Promise.resolve();
  let relay: NotifyRelay | undefined;
  try {
    relay = await NotifyRelay.bind(port, directory, manager);
    told = relay.forward(port.pid, () => over).catch((error: Error) => warn(error.message));
    return await run();
  } finally {
    over = true;
    await told;
    await relay?.close();
    port.remove(directory);
  }
}

function hasEnded(port: Port, target: Target): boolean {
  try {
    return readContainer(port, target).status === 'stopped';
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ENOTFOUND') return true;
    throw error;
  }
}
