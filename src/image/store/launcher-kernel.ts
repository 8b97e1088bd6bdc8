// The store's kernel by launchers: one holds the locks, another, begun when it is needed, works inside layer trees.
//
// Node has no flock(2), and a lock must end with its holder. The launcher ends when its channel does, a moment after
// this program, however that ends; whatever this program wrote it wrote before.
import type { Channel, Port } from '../../host/port.ts';
import { openFlags } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import {
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { LOCK_OPERATIONS } from '../../linux/flags.ts';
import { type Call, call, number, slot, string, value } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import { openFileLauncher } from '../user-namespace.ts';
import type { LockKind, LockOptions, StoreKernel, StoreLock } from './kernel.ts';
import { removeTree } from './tree-removal.ts';

const CAUSE = 'default: the image store';
const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');

/** <linux/fs.h> */
const RENAME_EXCHANGE = 2;

/** Waits between two looks at a lock that somebody else holds, in milliseconds. */
const SHORTEST = 1;
const LONGEST = 40;

class Conversation {
  private readonly port: Port;
  private readonly open: () => Promise<Channel>;
  private channel: Channel | undefined;
  private player: Player | undefined;
  /** Answers come in the order of batches; one batch at a time keeps that simple. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(port: Port, open: () => Promise<Channel>) {
    this.port = port;
    this.open = open;
  }

  /** Does `work` when all that came before is done. */
  inTurn<T>(work: (player: Player) => Promise<T>): Promise<T> {
    const done = this.last.then(async () => {
      this.player ??= new Player(this.port, await this.begin());
      return await work(this.player);
    });
    this.last = done.catch(() => undefined);
    return done;
  }

  /** A launcher that could not be started, for lack of something, may start the next time. */
  private async begin(): Promise<Channel> {
    this.channel = await this.open();
    return this.channel;
  }

  async close(): Promise<void> {
    await this.last;
    await this.channel?.close();
    this.channel = undefined;
    this.player = undefined;
  }
}

export class LauncherKernel implements StoreKernel {
  private readonly port: Port;
  private readonly locks: Conversation;
  private readonly worker: Conversation;
  private readonly durable: boolean;

  /** Those that were taken on a launcher of the caller's: they do not end with this. */
  private readonly lent: HeldLock[] | undefined;

  /** Without `durable` nothing is synced. The locks are held by `channel`, where there is one. */
  constructor(port: Port, durable = true, channel?: Channel) {
    this.durable = durable;
    this.port = port;
    this.lent = channel === undefined ? undefined : [];
    const open = async () => channel ?? (await port.openChannel({ noInput: true }));
    this.locks = new Conversation(port, open);
    this.worker = new Conversation(port, () => openTreeWorker(port));
  }

  async lock(path: Bytes, kind: LockKind, options: LockOptions = {}): Promise<StoreLock | undefined> {
    const file = slot('lock', { reply: true });
    const taken = slot('taken', { reply: true });
    const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    const played = await this.locks.inTurn((player) =>
      player.play([
        step('parent', 'lock', `lock ${path}`, CAUSE, [
          sys.openat(sys.AT_FDCWD, path, flags, 0o600, { result: file }),
          flock(value(file), kind, taken),
        ]),
      ]),
    );
    const descriptor = slotValue(played.batch, played.answer, file);
    const lock = new HeldLock(this.port, this.locks, descriptor, path);
    this.lent?.push(lock);
    if (slotValue(played.batch, played.answer, taken) === 0) return lock;
    options.waiting?.();
    if (await lock.convert(kind, options.patience ?? Number.POSITIVE_INFINITY)) return lock;
    await lock.release();
    return undefined;
  }

  async check(): Promise<void> {
    await this.locks.inTurn((player) =>
      player.play([step('parent', 'check', 'see whether the locks are held', CAUSE, [call('getpid', [])])]),
    );
  }

  async makeTree(path: Bytes): Promise<void> {
    const tree = slot('tree');
    await this.locks.inTurn((player) =>
      player.play([
        step('parent', 'tree', `make ${path}`, CAUSE, [
          sys.mkdirat(sys.AT_FDCWD, path, 0o700),
          sys.openat(sys.AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, {
            result: tree,
          }),
          sys.fchmod(tree, 0o755),
          sys.close(tree),
        ]),
      ]),
    );
  }

  async moveTree(from: Bytes, to: Bytes, link: Bytes): Promise<void> {
    await this.locks.inTurn((player) =>
      player.play([
        step('parent', 'tree', `move ${from} to ${to}`, CAUSE, [
          sys.symlinkat(link, sys.AT_FDCWD, to),
          call('renameat2', [
            number(sys.AT_FDCWD),
            string(from),
            number(sys.AT_FDCWD),
            string(to),
            number(RENAME_EXCHANGE),
          ]),
        ]),
      ]),
    );
  }

  async syncFileSystem(directory: Bytes): Promise<void> {
    if (!this.durable) return;
    const opened = slot('directory');
    // By the worker: it takes as long as the disk does, and locks must not wait for that.
    await this.worker.inTurn((player) =>
      player.play([
        step('parent', 'sync', `write ${directory} to the disk`, CAUSE, [
          sys.openat(sys.AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: opened }),
          call('syncfs', [value(opened)]),
          sys.close(opened),
        ]),
      ]),
    );
  }

  async removeTree(path: Bytes): Promise<void> {
    const unique = `.gone-${hex(this.port.random(12))}`;
    await this.worker.inTurn((player) => removeTree(player, path, unique));
  }

  async close(): Promise<void> {
    for (const lock of this.lent ?? []) await lock.release();
    await Promise.all([this.lent === undefined ? this.locks.close() : undefined, this.worker.close()]);
  }
}

function flock(file: Call['args'][number], kind: LockKind, result: ReturnType<typeof slot>): Call {
  const operation = (kind === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB;
  return call('flock', [file, number(operation, LOCK_OPERATIONS)], { result, tolerate: [ERRNO.EAGAIN] });
}

class HeldLock implements StoreLock {
  private readonly port: Port;
  private readonly locks: Conversation;
  private readonly descriptor: number;
  private readonly path: Bytes;
  private released = false;

  constructor(port: Port, locks: Conversation, descriptor: number, path: Bytes) {
    this.port = port;
    this.locks = locks;
    this.descriptor = descriptor;
    this.path = path;
  }

  /** By looking again and again: a launcher that waits in flock(2) could not release the locks that others wait for. */
  async convert(kind: LockKind, patience: number): Promise<boolean> {
    const begin = this.port.monotonic();
    for (let pause = SHORTEST; !(await this.attempt(kind)); pause = Math.min(2 * pause, LONGEST)) {
      if (this.port.monotonic() - begin >= patience * 1e6) return false;
      // Not in step with others that wait.
      const chance = (this.port.random(1)[0] ?? 0) / 256;
      await sleep(this.port, pause * (0.5 + chance));
    }
    return true;
  }

  private async attempt(kind: LockKind): Promise<boolean> {
    const taken = slot('taken', { reply: true });
    const { batch, answer } = await this.locks.inTurn((player) =>
      player.play([
        step('parent', 'lock', `lock ${this.path}`, CAUSE, [flock(number(this.descriptor), kind, taken)]),
      ]),
    );
    return slotValue(batch, answer, taken) === 0;
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    const unlock = step('parent', 'unlock', `unlock ${this.path}`, CAUSE, [sys.close(this.descriptor)]);
    try {
      await this.locks.inTurn((player) => player.play([unlock]));
    } catch (error) {
      // With the launcher its locks have gone.
      if (!(error instanceof CaissonError && error.code === 'ELAUNCHER')) throw error;
    }
  }
}

/** Who may do anything inside of the layer trees of this user. */
async function openTreeWorker(port: Port): Promise<Channel> {
  return (await openFileLauncher(port, CAUSE)).channel;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function sleep(port: Port, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    port.after(milliseconds, resolve);
  });
}
