// Removes the cgroups of a container, those that it made inside of its own included.
import type { Bytes } from '../linux/bytes.ts';
import { AT_REMOVEDIR, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { outBuffer, type Slot, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, unlinkat } from '../plan/syscalls.ts';
import { getdents64 } from './calls.ts';
import { DT_DIR, parseDirectoryEntries } from './directory-entries.ts';
import type { Cgroup } from './path.ts';
import type { Replies } from './reading.ts';

/** Steps to play, and how long to wait before, in milliseconds. */
export interface RemovalRound {
  readonly steps: readonly Step[];
  readonly wait: number;
}

export interface RemovalOptions {
  /** Ancestors to remove too where they have become empty, deepest first. */
  readonly ancestors?: readonly Bytes[];
  /** Rounds in which directories may still be busy; 10 by default: about a second. */
  readonly rounds?: number;
}

/** Directories one level below a busy one that are looked at in one batch (32 KiB of entries each). */
const LISTED_AT_ONCE = 32;
const LIST_ROOM = 32768;
/** Levels of cgroups in cgroups that are followed: cgroup v2 nests without end (cgroup.max.depth). */
const DEEPEST = 256;

/**
 * Compiles the removal round by round: `for (round = next(); !round.done; round = next(replies))` with the answer to
 * the steps of each round. The return value is what could not be removed: nothing, if all went well.
 *
 * A directory is busy while it has processes (which may be about to end) or children. The first round tries the
 * directories themselves, which is all that is needed for a container without cgroups of its own.
 */
export function* removeCgroups(
  cgroups: readonly Cgroup[],
  options: RemovalOptions = {},
): Generator<RemovalRound, readonly Bytes[], Replies> {
  let left = yield* removeAll(
    cgroups.map(({ directory }) => directory),
    0,
  );
  for (let round = 0; left.length > 0 && round < (options.rounds ?? 10); round++) {
    const nested = yield* descendants(left);
    left = yield* removeAll([...nested.reverse(), ...left], round === 0 ? 0 : Math.min(2 ** round, 200));
    left = left.filter((directory) => cgroups.some((cgroup) => cgroup.directory === directory));
  }
  const ancestors = options.ancestors ?? [];
  if (left.length === 0 && ancestors.length > 0) yield* removeAll(ancestors, 0);
  return left;
}

/** Removes in the order given; returns what is busy. */
function* removeAll(directories: readonly Bytes[], wait: number): Generator<RemovalRound, Bytes[], Replies> {
  const removals = directories.map((directory) => ({
    directory,
    result: slot(`removed ${directory}`, { reply: true }),
  }));
  const tolerate = [ERRNO.ENOENT, ERRNO.EBUSY, ERRNO.ENOTEMPTY];
  const steps = removals.map(({ directory, result }) =>
    step('parent', 'cgroup-remove', `remove cgroup ${directory}`, 'delete', [
      unlinkat(AT_FDCWD, directory, AT_REMOVEDIR, { result, tolerate }),
    ]),
  );
  const replies = yield { steps, wait };
  return removals.filter(({ result }) => isBusy(replies.value(result))).map(({ directory }) => directory);
}

function isBusy(result: number): boolean {
  return result === -ERRNO.EBUSY || result === -ERRNO.ENOTEMPTY;
}

/** All cgroups below `directories`, ancestors before descendants, level by level. */
function* descendants(directories: readonly Bytes[]): Generator<RemovalRound, Bytes[], Replies> {
  const found: Bytes[] = [];
  let level: readonly Bytes[] = directories;
  for (let depth = 0; level.length > 0 && depth < DEEPEST; depth++) {
    const next: Bytes[] = [];
    for (let at = 0; at < level.length; at += LISTED_AT_ONCE) {
      next.push(...(yield* children(level.slice(at, at + LISTED_AT_ONCE))));
    }
    found.push(...next);
    level = next;
  }
  return found;
}

function* children(directories: readonly Bytes[]): Generator<RemovalRound, Bytes[], Replies> {
  const lists = directories.map((directory) => ({
    directory,
    length: slot(`entries of ${directory}`, { reply: true }),
    buffer: outBuffer(directory, LIST_ROOM),
  }));
  const steps = lists.map(({ directory, length, buffer }) => {
    const fd: Slot = slot(directory);
    return step('parent', 'cgroup-list', `list cgroup ${directory}`, 'delete', [
      openat(AT_FDCWD, directory, O_RDONLY | O_CLOEXEC, 0, { result: fd, tolerate: [ERRNO.ENOENT] }),
      getdents64(fd, buffer, { result: length, tolerate: [ERRNO.EBADF, ERRNO.ENOENT] }),
      close(fd, { tolerate: [ERRNO.EBADF] }),
    ]);
  });
  const replies = yield { steps, wait: 0 };
  return lists.flatMap(({ directory, length, buffer }) =>
    parseDirectoryEntries(replies.bytes(buffer, Math.max(replies.value(length), 0)))
      .filter(({ type }) => type === DT_DIR)
      .map(({ name }) => `${directory}/${name}`),
  );
}
