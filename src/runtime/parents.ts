// What a start of ours made beside the container's own cgroups: those above them, which whoever is the last to use
// them takes away, and groups of resctrl.
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { AT_REMOVEDIR, LOCK_EX, LOCK_NB, LOCK_SH, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { LOCK_OPERATIONS } from '../linux/flags.ts';
import { call, number, slot, value } from '../plan/call.ts';
import { slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { failure } from './failure.ts';
import type { Player } from './player.ts';
import { byLiving, sleep } from './removal.ts';

/** What a record says of its container's cgroups. */
export interface Placed {
  readonly id: Bytes;
  readonly cgroups: readonly Cgroup[];
  /** Those of the parents that were not there before. */
  readonly madeParents?: readonly Bytes[];
  readonly oci?: { readonly resctrl?: readonly Bytes[] };
}

const CAUSE = 'default: cgroups of ours that nobody uses are removed';

/**
 * Keeps the parents that a start is about to be planned with where they are; the result is a descriptor of the launcher,
 * which the plan closes when the container's own cgroups are there (`releaseStep`). Undefined for a path without parents,
 * and where there is no container yet.
 */
export async function holdParents(
  player: Player,
  stateRoot: Bytes,
  path: { readonly text: Bytes | undefined; readonly asRunc: boolean },
): Promise<number | undefined> {
  const { text = '', asRunc } = path;
  const parts = text.split('/').filter((name) => name !== '' && name !== '.');
  if (text === '' ? asRunc : parts.length < 2) return undefined;
  const lock = slot('state root', { reply: true });
  const batch = await player.send([
    step('parent', 'cgroup-guard', `keep ${stateRoot} from being tidied`, CAUSE, [
      sys.openat(sys.AT_FDCWD, stateRoot, O_RDONLY | O_CLOEXEC, 0, {
        result: lock,
        tolerate: [ERRNO.ENOENT],
      }),
      call('flock', [value(lock), number(LOCK_SH, LOCK_OPERATIONS)], {
        retry: true,
        tolerate: [ERRNO.EBADF],
      }),
    ]),
  ]);
  // Not brief: another start or removal of this very process may hold it, and goes on by the event loop alone.
  const answer = await player.receive(false);
  if (answer.kind !== 'done') throw failure(batch, answer);
  const descriptor = slotValue(batch, answer, lock);
  return descriptor < 0 ? undefined : descriptor;
}

/** Played when the directories are there. */
export function releaseStep(descriptor: number): Step {
  return step('parent', 'cgroup-guard-end', 'let others tidy again', CAUSE, [sys.close(descriptor)]);
}

/** After a start that failed, maybe before its plan let go. */
export async function releaseParents(player: Player, descriptor: number | undefined): Promise<void> {
  if (descriptor === undefined) return;
  const calls = [sys.close(descriptor, { tolerate: [ERRNO.EBADF] })];
  await player
    .play([step('parent', 'cgroup-guard-end', 'let others tidy again', CAUSE, calls)])
    .catch(() => undefined);
}

/** Notes of parents that outlived the container they were made for: one file for each such container. */
function notesOf(stateRoot: Bytes): Bytes {
  return `${stateRoot}/.parents`;
}

function noted(port: Port, file: Bytes): Bytes[] {
  return (port.readFile(file) ?? '').split('\n').filter((line) => line !== '');
}

/** What is still there is noted; notes of what is gone are dropped. */
function keepNotes(port: Port, stateRoot: Bytes, id: Bytes, removable: readonly Bytes[]): void {
  const directory = notesOf(stateRoot);
  const isThere = (path: Bytes) => port.stat(path) !== undefined;
  for (const name of port.list(directory))
    if (!noted(port, `${directory}/${name}`).some(isThere)) port.remove(`${directory}/${name}`);
  const left = new Set([...noted(port, `${directory}/${id}`), ...removable.filter(isThere)]);
  if (left.size > 0) {
    port.makeDirectory(directory);
    port.replaceFile(`${directory}/${id}`, [...left].map((line) => `${line}\n`).join(''));
  } else if (isThere(directory) && port.list(directory).length === 0) port.remove(directory);
}

/**
 * Removes the parents that this container or one before it had made, deepest first, unless somebody is below; what is
 * left is noted for the last one. The container's own cgroups are gone already. `locked`: this launcher has locked the
 * state root for itself.
 */
export async function removeParents(
  port: Port,
  player: Player,
  stateRoot: Bytes,
  placed: Placed,
  locked = false,
): Promise<void> {
  await byLiving(port, player, (living) => tidy(port, living, stateRoot, placed, locked));
}

async function tidy(
  port: Port,
  player: Player,
  stateRoot: Bytes,
  { id, cgroups, madeParents = [], oci }: Placed,
  locked: boolean,
): Promise<void> {
  for (const group of oci?.resctrl ?? []) port.removeEmpty?.(group);
  const notes = port.list(notesOf(stateRoot)).map((name) => `${notesOf(stateRoot)}/${name}`);
  const ours = new Set([...madeParents, ...notes.flatMap((file) => noted(port, file))]);
  const parents = cgroups.flatMap((cgroup) => [...cgroup.parents].reverse());
  const removable = [...new Set(parents)].filter((directory) => ours.has(directory));
  if (removable.length === 0) return;
  const lock = locked ? undefined : await lockRoot(port, player, stateRoot);
  if (locked || lock !== undefined) {
    const tolerate = [ERRNO.ENOENT, ERRNO.EBUSY, ERRNO.ENOTEMPTY, ERRNO.EACCES];
    const calls = removable.map((path) => sys.unlinkat(sys.AT_FDCWD, path, AT_REMOVEDIR, { tolerate }));
    await player.play([step('parent', 'cgroup-tidy', `remove ${removable.join(', ')}`, CAUSE, calls)]);
  }
  keepNotes(port, stateRoot, id, removable);
  if (lock !== undefined) await player.play([releaseStep(lock)]);
}

/** Starts that are being planned hold it for milliseconds. Undefined when it cannot be had in time. */
async function lockRoot(port: Port, player: Player, stateRoot: Bytes): Promise<number | undefined> {
  const lock = slot('state root', { reply: true });
  const locked = slot('locked', { reply: true });
  for (let tries = 0; tries < TRIES; tries++) {
    const { batch, answer } = await player.play([
      step('parent', 'cgroup-tidy-lock', `lock ${stateRoot}`, CAUSE, [
        sys.openat(sys.AT_FDCWD, stateRoot, O_RDONLY | O_CLOEXEC, 0, { result: lock }),
        call('flock', [value(lock), number(LOCK_EX | LOCK_NB, LOCK_OPERATIONS)], {
          result: locked,
          tolerate: [ERRNO.EAGAIN],
        }),
      ]),
    ]);
    const descriptor = slotValue(batch, answer, lock);
    if (slotValue(batch, answer, locked) === 0) return descriptor;
    await player.play([releaseStep(descriptor)]);
    await sleep(port, PAUSE);
  }
  return undefined;
}

const TRIES = 40;
/** Milliseconds. */
const PAUSE = 5;
