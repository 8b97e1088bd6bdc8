// `start` of the OCI runtime: lets a created container go on from its barrier to its program.
//
// runtime-spec runtime.md, Start. The container's side is src/plan/compile/barrier.ts: once it is connected it answers
// on the connection as a launcher does, and the end of the connection says that the program has been executed.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { MSG_NOSIGNAL } from '../linux/constants/socket.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import { continueBytes, frameOf, slotValue } from '../plan/answer.ts';
import { call, NULL, number, type OutBuffer, outBuffer, pointer, slot, value } from '../plan/call.ts';
import { connectCalls } from '../plan/compile/sockets.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { FRAME_SIZE } from '../plan/wire.ts';
import { CaissonError } from '../spec/error.ts';
import type { Hooks } from '../spec/runtime-spec.ts';
import {
  containerSpec,
  type Held,
  type OciContainerRecord,
  ociState,
  readContainer,
  type Target,
  withContainer,
} from './container.ts';
import { deleteLocked } from './delete.ts';
import { executionError } from './execution.ts';
import { gatherFacts } from './facts.ts';
import { hasHooks, runContainerHooks, runHostHooks } from './hooks.ts';
import { type Played, repliesOf } from './player.ts';
import { write } from './state.ts';

/**
 * Starts a created container. Throws CaissonError ECONFLICT when it is not one, ENOTFOUND when it does not exist,
 * what the program's execution failed with, and EHOOK: then the container is stopped and deleted (runtime.md, Lifecycle
 * 7 and 9). `warn` is told of poststop hooks that fail.
 */
export async function startContainer(
  port: Port,
  target: Target,
  warn: (message: string) => void = () => undefined,
): Promise<void> {
  const { hooks, record } = await withContainer(port, target, 'exclusive', async (held) => {
    try {
      return await startLocked(port, target, held);
    } catch (error) {
      if (isHook(error))
        await deleteLocked(port, held.player, target, readContainer(port, target), { force: true, warn });
      throw error;
    }
  });
  try {
    // Without the lock: such a hook may use the runtime on this container, and `kill` must not wait for one that hangs.
    const state = ociState({ record, status: 'running' });
    await runHostHooks(port, 'poststart', hooks, state, { pid: record.oci.init?.pid ?? 0 });
  } catch (error) {
    if (isHook(error)) await deleteStarted(port, target, record, warn);
    throw error;
  }
}

function isHook(error: unknown): boolean {
  return error instanceof CaissonError && error.code === 'EHOOK';
}

/** Unless somebody else has deleted it meanwhile, and made another of that id perhaps. */
async function deleteStarted(
  port: Port,
  target: Target,
  { oci }: OciContainerRecord,
  warn: (message: string) => void,
): Promise<void> {
  try {
    await withContainer(port, target, 'exclusive', async ({ player, container }) => {
      if (container.record.oci.created !== oci.created) return;
      await deleteLocked(port, player, target, container, { force: true, warn });
    });
  } catch (error) {
    if (!(error instanceof CaissonError && error.code === 'ENOTFOUND')) throw error;
  }
}

interface Started {
  readonly hooks: Hooks | undefined;
  readonly record: OciContainerRecord;
}

async function startLocked(port: Port, target: Target, held: Held): Promise<Started> {
  const { container } = held;
  if (container.status !== 'created') throw notCreated(container.status);
  const { record } = container;
  // The configuration was checked when the container was created; most have no hooks, and nothing else is needed of it.
  const spec = record.oci.hooks === false ? undefined : containerSpec(port, target, container);
  const connection = await connect(held, `${target.stateRoot}/${target.id}/start`);
  const pid = record.oci.init?.pid ?? 0;
  if (spec !== undefined && hasHooks(spec, ['startContainer']))
    await runContainerHooks(port, 'startContainer', spec.hooks, ociState(container), pid, {
      spec,
      facts: gatherFacts(port, spec),
      cgroups: record.cgroups,
      ...(record.oci.init === undefined ? {} : { init: record.oci.init }),
    });
  // Before the program may run: a start that dies now has started it, or ends it by closing the connection.
  write(port, target.stateRoot, { ...record, oci: { ...record.oci, phase: 'started' } });
  const program = () => (spec ?? containerSpec(port, target, container)).process?.args?.[0] ?? '';
  await release(held, program, connection);
  return { hooks: spec?.hooks, record };
}

function notCreated(status: string): CaissonError {
  const why =
    status === 'stopped'
      ? 'cannot start a container that has stopped'
      : status === 'running'
        ? 'cannot start an already running container'
        : `cannot start a container in the ${status} state`;
  return new CaissonError(why, { code: 'ECONFLICT', exitCode: 1 });
}

/** A connection in the launcher, and how much of the container's answer is still to be read from it. */
interface Connection {
  readonly descriptor: number;
  readonly unread: number;
}

const START = 'default: start';

async function connect({ player }: Held, path: Bytes): Promise<Connection> {
  const socket = slot('start', { reply: true });
  const frame = outBuffer('frame', FRAME_SIZE);
  let played: Played;
  try {
    played = await player.play([
      step('parent', 'connect', 'connect to the container', START, [
        ...connectCalls(path, socket),
        sys.read(socket, frame),
      ]),
    ]);
  } catch (error) {
    const gone =
      error instanceof CaissonError &&
      [ERRNO.ECONNREFUSED, ERRNO.ENOENT, ERRNO.ECONNRESET].some((errno) => errno === error.errno);
    throw gone ? notCreated('stopped') : error;
  }
  const answer = frameOf(repliesOf(played).bytes(frame, FRAME_SIZE));
  // Killed while it was about to answer.
  if (answer?.kind !== 'paused') throw notCreated('stopped');
  return { descriptor: slotValue(played.batch, played.answer, socket), unread: answer.length };
}

/** A connection whose other end has died is an error, and no signal for the launcher. */
const NO_SIGNAL = [number(MSG_NOSIGNAL, F.MESSAGE_FLAGS), NULL, number(0)] as const;

/** Says go on, and waits for the end of the connection. `program` is asked for the name of what cannot be executed. */
async function release(
  { player }: Held,
  program: () => Bytes,
  { descriptor, unread }: Connection,
): Promise<void> {
  const end = outBuffer('frame', FRAME_SIZE);
  const length = slot('length', { reply: true });
  const rest: OutBuffer[] = unread > 0 ? [outBuffer('replies', unread, false)] : [];
  const sent = slot('sent', { reply: true });
  const go = continueBytes();
  const batch = await player.send([
    step('parent', 'start', 'let the container execute its program', START, [
      ...rest.map((buffer) => sys.read(descriptor, buffer)),
      call(
        'sendto',
        [value(descriptor), pointer({ kind: 'buffer', bytes: go }, 2), number(go.length), ...NO_SIGNAL],
        {
          result: sent,
          tolerate: [ERRNO.EPIPE, ERRNO.ECONNRESET],
        },
      ),
      sys.read(descriptor, end, { result: length, tolerate: [ERRNO.ECONNRESET] }),
    ]),
  ]);
  const answer = await player.receive(false);
  if (answer.kind !== 'done')
    throw new CaissonError('the launcher has ended unexpectedly', { code: 'ELAUNCHER' });
  // A kill takes no lock, and may have been quicker.
  if (slotValue(batch, answer, sent) < 0) throw notCreated('stopped');
  if (slotValue(batch, answer, length) <= 0) return;
  const failed = frameOf(repliesOf({ batch, answer }).bytes(end, FRAME_SIZE));
  throw executionError(program(), failed?.errno ?? 0);
}
