// Commands that hold the lock of a container for as long as a hook of theirs hangs: `delete --force` must not wait for them.
//
// The hook is killed, and the command then fails and cleans up as for any hook that fails. Whoever holds a lock is in
// /proc/locks (proc_locks(5)): the launcher of a command, whose other launchers run the hooks.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { statusField } from '../linux/proc-status.ts';
import { SIGNALS } from '../linux/signals.ts';
import { endProcess } from './abandoned.ts';
import type { Player } from './player.ts';
import { withLauncher } from './removal.ts';
import { signalProcess } from './signal-process.ts';
import { identify, isStopped } from './state.ts';

/** Milliseconds: locks are mostly held for less, and hooks that were killed are waited for. */
const PAUSE = 100;

/** Milliseconds after which the launcher that holds the lock is killed, too; at once where its command is stopped. */
const PATIENCE = 5000;

/** Ends hooks of whoever holds the lock of this directory, every now and then, until the result is called. */
export function endHoldersHooks(port: Port, directory: Bytes): () => Promise<void> {
  let over = false;
  let cancel: () => void = () => undefined;
  let round = Promise.resolve();
  const wait = (waited: number): void => {
    cancel = port.after(PAUSE, () => {
      round = withLauncher(port, (player) => interrupt(port, player, directory, waited > PATIENCE))
        // What holds the lock may end at any moment, and the next round finds what is left.
        .catch(() => undefined)
        .then(() => {
          if (!over) wait(waited + PAUSE);
        });
    });
  };
  wait(0);
  return async () => {
    over = true;
    cancel();
    await round;
  };
}

async function interrupt(port: Port, player: Player, directory: Bytes, late: boolean): Promise<void> {
  for (const holder of holdersOf(port, directory).filter((pid) => isLauncher(port, pid))) {
    const identity = identify(port, holder);
    const command = parentOf(port, holder);
    await endHooks(port, player, command, holder);
    if (late || isStopped(port, command)) await endProcess(port, player, identity);
  }
}

/** Processes that hold a lock (flock(2)) on a directory, as far as this pid namespace sees them. */
function holdersOf(port: Port, directory: Bytes): number[] {
  const locked = port.stat(directory);
  const lines = (port.readFile('/proc/locks') ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, pid = '', inode = ''] =
      /^\d+: FLOCK +ADVISORY +\w+ (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line) ?? [];
    return Number(inode) === locked?.ino && hasOpen(port, pid, locked) ? [Number(pid)] : [];
  });
}

/** Inodes have numbers of their own on each device. */
function hasOpen(
  port: Port,
  pid: Bytes,
  { dev, ino }: { readonly dev: number; readonly ino: number },
): boolean {
  return port.list(`/proc/${pid}/fd`).some((fd) => {
    const open = port.stat(`/proc/${pid}/fd/${fd}`);
    return open?.dev === dev && open.ino === ino;
  });
}

function parentOf(port: Port, pid: number): number {
  return Number(statusField(port.readFile(`/proc/${pid}/status`) ?? '', 'PPid') ?? 0);
}

/** Kills the hooks that a command runs now, and their descendants; `except` is its launcher for the container itself. */
export async function endHooks(port: Port, player: Player, command: number, except: number): Promise<void> {
  if (command <= 1) return;
  // An orphaned launcher is a child of whoever takes orphans: what else is started there is no hook.
  const launchers = childrenOf(port, command).filter((pid) => pid !== except && isLauncher(port, pid));
  // The hook first: a shell would go on, and succeed, when what it waits for has ended.
  for (const hook of launchers.flatMap((pid) => childrenOf(port, pid)))
    for (const pid of [hook, ...descendantsOf(port, hook)])
      await signalProcess(port, player, identify(port, pid), SIGNALS.SIGKILL);
}

/** Launchers run from a memory file of this name (launcher.c), and nothing else does. */
function isLauncher(port: Port, pid: number): boolean {
  return port.readLink?.(`/proc/${pid}/exe`)?.startsWith('/memfd:caisson-launcher') === true;
}

/** Each thread has children of its own (proc_tid_children(5)). */
function childrenOf(port: Port, pid: number): number[] {
  return port.list(`/proc/${pid}/task`).flatMap((thread) => {
    const text = port.readFile(`/proc/${pid}/task/${thread}/children`) ?? '';
    return text
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  });
}

function descendantsOf(port: Port, pid: number): number[] {
  return childrenOf(port, pid).flatMap((child) => [...descendantsOf(port, child), child]);
}
