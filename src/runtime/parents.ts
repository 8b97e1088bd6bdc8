// The cgroups above a container's own that a start of ours had to make: taken away by whoever is the last to use them.
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { AT_REMOVEDIR, LOCK_EX, LOCK_SH, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { LOCK_OPERATIONS } from '../linux/flags.ts';
import { call, number, type Slot, slot, value } from '../plan/call.ts';
import { slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Player } from './player.ts';
import { byLiving } from './removal.ts';

/** What a record says of its container's cgroups. */
export interface Placed {
  readonly id: Bytes;
  readonly cgroups: readonly Cgroup[];
  /** Those of the parents that were not there before. */
  readonly madeParents?: readonly Bytes[];
}

const CAUSE = 'default: cgroups of ours that nobody uses are removed';

/** Steps around the making of directories, so that nobody takes a parent away before its child is there. */
export function guardOf(stateRoot: Bytes): { readonly take: Step; readonly release: Step } {
  const lock = slot('state root');
  return {
    take: step('parent', 'cgroup-guard', `keep ${stateRoot} from being tidied`, CAUSE, [
      ...lockCalls(stateRoot, lock, LOCK_SH),
    ]),
    release: step('parent', 'cgroup-guard-end', 'end that', CAUSE, [sys.close(lock)]),
  };
}

function lockCalls(stateRoot: Bytes, lock: Slot, operation: number) {
  return [
    sys.openat(sys.AT_FDCWD, stateRoot, O_RDONLY | O_CLOEXEC, 0, { result: lock }),
    call('flock', [value(lock), number(operation, LOCK_OPERATIONS)], { retry: true }),
  ];
}

/** Notes of parents that outlived the container they were made for: one file for each such container. */
function notesOf(stateRoot: Bytes): Bytes {
  return `${stateRoot}/.parents`;
}

function noted(port: Port, file: Bytes): Bytes[] {
  return (port.readFile(file) ?? '').split('\n').filter((line) => line !== '');
}

/** What is still there is noted; notes of what is gone are dropped. The state root is locked meanwhile. */
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
  { id, cgroups, madeParents = [] }: Placed,
  locked: boolean,
): Promise<void> {
  const notes = port.list(notesOf(stateRoot)).map((name) => `${notesOf(stateRoot)}/${name}`);
  const ours = new Set([...madeParents, ...notes.flatMap((file) => noted(port, file))]);
  const parents = cgroups.flatMap((cgroup) => [...cgroup.parents].reverse());
  const removable = [...new Set(parents)].filter((directory) => ours.has(directory));
  if (removable.length === 0) return;
  const lock = slot('state root', { reply: true });
  const { batch, answer } = await player.play([
    step('parent', 'cgroup-tidy', `remove the cgroups above, ${removable.join(', ')}`, CAUSE, [
      ...(locked ? [] : lockCalls(stateRoot, lock, LOCK_EX)),
      ...removable.map((directory) =>
        sys.unlinkat(sys.AT_FDCWD, directory, AT_REMOVEDIR, {
          tolerate: [ERRNO.ENOENT, ERRNO.EBUSY, ERRNO.ENOTEMPTY, ERRNO.EACCES],
        }),
      ),
    ]),
  ]);
  keepNotes(port, stateRoot, id, removable);
  if (locked) return;
  await player.play([
    step('parent', 'cgroup-tidy-end', 'end that', CAUSE, [sys.close(slotValue(batch, answer, lock))]),
  ]);
}
