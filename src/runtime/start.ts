// Starts a container from a compiled plan: up to its program, where the caller stays until its end, or to its barrier.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import { type Call, call, NULL, number, type OutBuffer, type Slot, slot } from '../plan/call.ts';
import { type Answer, type Batch, bufferBytes, slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { type Watch, waitCalls, watchFor } from '../plan/wait.ts';
import { CaissonError } from '../spec/error.ts';
import { failure } from './failure.ts';
import type { OutOfMemory } from './oom.ts';
import { play, type Stamp, type Startable, type StartOptions } from './play-start.ts';
import type { Player } from './player.ts';
import type { ProcessLimit } from './process-limit.ts';

/** How a container ended (waitid(2)). */
export interface Exit {
  /** Its exit code, or 128 + the signal that killed it. */
  readonly code: number;
  /** The signal, 0 when it exited by itself. */
  readonly signal: number;
  /** The kernel killed it for want of memory. */
  readonly oom?: OutOfMemory;
  /** It ended with an error, and the kernel had refused it processes. */
  readonly processes?: ProcessLimit;
}

/** How long a terminal is left alone that nobody has open, in milliseconds. */
const HANG_UP = 100;

/** A batch that ends in waiting, and what it watches. */
interface Waiting {
  readonly batch: Batch | Promise<Batch>;
  readonly watch: Watch;
  readonly told?: Told | undefined;
}

/** Results of calls that were played while the container runs, by their slots. */
export type Told = (value: (slot: Slot) => number) => void;

/** A container that runs, and the launcher that is its parent. */
export class Running {
  readonly pid: number;
  readonly stamps: readonly Stamp[];
  /** The terminal's descriptor in the launcher, -1 without one. */
  readonly terminal: number;
  /** Called with what the container writes to its terminal. */
  onOutput: (bytes: Bytes) => void = () => undefined;
  private readonly player: Player;
  private readonly pidfd: number;
  private readonly channel: number;
  private readonly queue: Waiting[] = [];
  private readonly after: Port['after'];
  private hungUp = false;
  private ended = false;

  constructor(
    player: Player,
    first: Waiting,
    started: {
      pid: number;
      pidfd: number;
      terminal: number;
      stamps: readonly Stamp[];
      channel: number;
    },
    after: Port['after'],
  ) {
    this.player = player;
    this.after = after;
    this.pid = started.pid;
    this.pidfd = started.pidfd;
    this.terminal = started.terminal;
    this.stamps = started.stamps;
    this.channel = started.channel;
    this.queue.push(first);
  }

  /** Sends a signal to PID 1 of the container, by its descriptor, so that it cannot hit another process. */
  async signal(number_: number): Promise<void> {
    await this.interrupt('signal', `send signal ${number_}`, [
      call('pidfd_send_signal', [number(this.pidfd), number(number_, F.SIGNALS), NULL, number(0)], {
        tolerate: [ERRNO.ESRCH],
      }),
    ]);
  }

  /**
   * Plays calls in the launcher while it waits; it then waits again. `told` is called with their results. Nothing
   * happens once the container has ended.
   */
  async interrupt(id: string, title: string, calls: readonly Call[], told?: Told): Promise<void> {
    if (this.ended) return;
    const steps = [step('parent', id, title, 'default: while the container runs', calls)];
    // The batch is answered when its wait ends, which the arrival of another one brings about.
    const sent = [this.enqueue(steps, told), ...(told === undefined ? [] : [this.enqueue([])])];
    try {
      await Promise.all(sent);
    } catch (error) {
      // `wait` tells that the launcher has gone; whoever passes a signal on does not look.
      if (!(error instanceof CaissonError && error.code === 'ELAUNCHER')) throw error;
    }
  }

  private async enqueue(steps: readonly Step[], told?: Told): Promise<void> {
    const watch = watchFor(this.terminal < 0 || this.hungUp ? undefined : this.terminal);
    const wait = step(
      'parent',
      'wait',
      'wait for the end of the container',
      'default: an attached run',
      waitCalls(this.pidfd, watch, this.channel),
    );
    const batch = this.player.send([...steps, wait]);
    // Before anything is awaited: answers come in the order of the batches.
    this.queue.push({ batch, watch, told });
    await batch;
  }

  /** Resolves when PID 1 has ended and has been reaped, and its last output has been delivered. */
  async wait(): Promise<Exit> {
    for (;;) {
      if (this.queue.length === 0) await this.enqueue([]);
      const { batch: sent, watch, told } = this.queue.shift() ?? missing();
      const batch = await sent;
      const answer = await this.player.receive(false);
      if (answer.kind !== 'done') throw failure(batch, answer);
      this.deliver(batch, answer, watch);
      const ended = readExit(batch, answer, watch.exit);
      if (ended === undefined) {
        told?.((slot) => slotValue(batch, answer, slot));
        continue;
      }
      this.ended = true;
      // Batches that were on their way when the container ended fail with ECHILD; nothing depends on them.
      for (const _ of this.queue.splice(0)) await this.player.receive(true);
      if (this.terminal >= 0) await this.drain();
      return ended;
    }
  }

  /** Hands output on; the result says whether there was some. */
  private deliver(batch: Batch, answer: Answer, { terminal }: Watch): boolean {
    if (terminal === undefined) return false;
    const count = slotValue(batch, answer, terminal.count);
    if (count === -ERRNO.EIO && !this.ended) this.hangUp();
    if (count > 0) this.onOutput(bufferBytes(batch, answer, terminal.output, count));
    return count > 0;
  }

  /** poll(2) does not wait while nobody has the other end open; a program may open /dev/console again. */
  private hangUp(): void {
    this.hungUp = true;
    this.after(HANG_UP, () => {
      this.hungUp = false;
      void this.interrupt('listen', 'see whether the terminal is open again', [
        sys.checkNumber(this.terminal, slot('listened', { width: 4 })),
      ]);
    });
  }

  private async drain(): Promise<void> {
    const watch = watchFor(this.terminal);
    const { terminal } = watch;
    if (terminal === undefined) return;
    const read = sys.read(this.terminal, terminal.output, {
      result: terminal.count,
      tolerate: [ERRNO.EAGAIN, ERRNO.EIO],
    });
    for (let more = true; more; ) {
      const { batch, answer } = await this.player.play([
        step('parent', 'drain', 'read what is left', 'default: terminal', [read]),
      ]);
      more = this.deliver(batch, answer, watch);
    }
  }
}

function missing(): never {
  throw new CaissonError('the launcher answered to nothing', { code: 'ELAUNCHER' });
}

const CLD_EXITED = 1;

/** siginfo_t of waitid(2): si_signo at 0, si_code at 8, si_pid at 16, si_status at 24. */
function readExit(batch: Batch, answer: Answer, exit: OutBuffer): Exit | undefined {
  const bytes = bufferBytes(batch, answer, exit);
  const word = (at: number) =>
    [0, 1, 2, 3].reduce((sum, i) => sum | (bytes.charCodeAt(at + i) << (8 * i)), 0);
  if (word(16) === 0) return undefined;
  const status = word(24);
  return word(8) === CLD_EXITED ? { code: status, signal: 0 } : { code: 128 + status, signal: status };
}

/**
 * Plays the plan of an attached run. Throws CaissonError with provenance when a step fails: the child is then gone.
 * @param options `pauses`: the launcher is not let go on to its wait. It would reap a child that ends before the
 *   launcher leaves, and whoever inherits the child would never learn of its end.
 */
export async function start(
  port: Port,
  player: Player,
  started: Startable,
  options: StartOptions & { readonly pauses?: boolean } = {},
): Promise<Running> {
  const { batch, answer, stamps, plan } = await play(port, player, started, options);
  const running = new Running(
    player,
    { batch, watch: plan.watch },
    {
      pid: slotValue(batch, answer, plan.pid),
      pidfd: slotValue(batch, answer, plan.pidfd),
      terminal: plan.terminal === undefined ? -1 : slotValue(batch, answer, plan.terminal),
      stamps,
      channel: plan.channel,
    },
    port.after,
  );
  if (options.pauses !== true) await player.continue();
  return running;
}

/**
 * Plays a plan with a barrier. The result is the process id of the container, which waits for `start` and no longer
 * needs the launcher. Throws CaissonError with provenance when a step fails: the child is then gone.
 */
export async function create(
  port: Port,
  player: Player,
  started: Startable,
  options: StartOptions = {},
): Promise<number> {
  const { batch, answer, plan } = await play(port, player, started, options);
  const dead = plan.created === undefined ? undefined : readExit(batch, answer, plan.created);
  if (dead !== undefined) {
    const how = dead.signal > 0 ? `signal ${dead.signal}` : `exit code ${dead.code}`;
    throw new CaissonError(`the container ended while it was created (${how})`, { code: 'ELAUNCHER' });
  }
  await player.continue();
  await player.receive(true);
  return slotValue(batch, answer, plan.pid);
}
