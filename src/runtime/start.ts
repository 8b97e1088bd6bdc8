// Starts a container from a compiled plan: up to its program, where the caller stays until its end, or to its barrier.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import { SIGNALS } from '../linux/signals.ts';
import { type Call, call, NULL, number, type OutBuffer, type Slot, slot } from '../plan/call.ts';
import { PAUSE_HOOKS } from '../plan/compile/hooks.ts';
import { mapText, PAUSE_ID_MAPS, PAUSE_STARTED, PAUSE_TRACE } from '../plan/compile/namespaces.ts';
import { PAUSE_PROGRAM } from '../plan/compile/program.ts';
import type { StartPlan } from '../plan/compile.ts';
import { type Answer, type Batch, bufferBytes, slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { type Watch, waitCalls, watchFor } from '../plan/wait.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxIDMapping, Spec } from '../spec/runtime-spec.ts';
import { executionFailure, programErrno, requireProgram } from './execution.ts';
import { failure } from './failure.ts';
import { pausedPid } from './hooks.ts';
import type { OutOfMemory } from './oom.ts';
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

/** One time stamp of a traced start: when the call had returned, nanoseconds of CLOCK_MONOTONIC. */
export interface Stamp {
  readonly step: Step;
  readonly at: number;
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

/** Ends a child that failed half-way (it waits for a batch), then waits until the launcher speaks again. */
async function endChild(player: Player): Promise<void> {
  await player.send([
    step('parent', 'exit', 'end the child', 'default: clean up', [call('exit_group', [number(1)])]),
  ]);
  const paused = await player.receive(true);
  if (paused.kind !== 'paused') return;
  await player.continue();
  await player.receive(true);
}

/** The launcher itself failed, after the fork perhaps: its child waits for it and must not be left. */
async function killChild(player: Player, batch: Batch, answer: Answer, plan: StartPlan): Promise<void> {
  if (answer.kind === 'refused') return;
  const pid = slotValue(batch, answer, plan.pid);
  if (pid <= 0) return;
  const calls = [
    call('kill', [number(pid), number(SIGNALS.SIGKILL, F.SIGNALS)]),
    call('wait4', [number(pid), NULL, number(0), NULL]),
  ];
  await player.play([step('parent', 'kill-child', 'kill the child', 'default: clean up', calls)]);
}

function stampsOf(batch: Batch, answer: Answer): Stamp[] {
  if (batch.traceOffset < 0) return [];
  const view = new DataView(answer.data.buffer, answer.data.byteOffset, answer.data.byteLength);
  return batch.records.flatMap((record, index) => {
    const at = Number(view.getBigUint64(batch.traceOffset + 8 * index, true));
    return record === undefined || at === 0 ? [] : [{ step: record.step, at }];
  });
}

/** newuidmap(1) and newgidmap(1) write what /etc/subuid and /etc/subgid allow the caller. */
async function helperMaps(port: Port, spec: Spec, pid: number): Promise<void> {
  const maps: readonly [Bytes, readonly LinuxIDMapping[], string][] = [
    ['newuidmap', spec.linux?.uidMappings ?? [], '/linux/uidMappings'],
    ['newgidmap', spec.linux?.gidMappings ?? [], '/linux/gidMappings'],
  ];
  for (const [program, mappings, cause] of maps) {
    const words = mapText(mappings).trim().split(/\s+/);
    const path = port.findProgram(program);
    if (path === undefined) {
      throw new CaissonError(
        `${program} is not installed on this host: install the package uidmap, or map one id`,
        {
          code: 'EIDMAP',
          provenance: [cause],
        },
      );
    }
    const ended = await port.spawn(path, [String(pid), ...words], { env: [] });
    if (ended.exitCode !== 0) {
      throw new CaissonError(`${program}: ${ended.stderr.trim() || `exit code ${ended.exitCode}`}`, {
        code: 'EIDMAP',
        provenance: [cause],
      });
    }
  }
}

/** What a caller of `play` does while the start is under way. */
export interface StartOptions {
  readonly trace?: boolean;
  /** The child has made its mounts and waits; its process id. A rejection ends the child. */
  readonly hooks?: (pid: number) => Promise<void>;
}

/** A start that has come to its program, or to its barrier. The launcher pauses: `player.continue` lets it go on. */
interface Begun {
  readonly batch: Batch;
  readonly answer: Answer;
  readonly stamps: readonly Stamp[];
}

/** Plays a start plan. Throws CaissonError with provenance when a step fails: the child is then gone. */
async function play(
  port: Port,
  player: Player,
  spec: Spec,
  plan: StartPlan,
  options: StartOptions,
): Promise<Begun> {
  const batch = await player.send(plan.steps, { trace: options.trace ?? false });
  let stamps: Stamp[] = [];
  let unmapped: unknown;
  const program = spec.process?.args?.[0] ?? '';
  for (;;) {
    const answer = await player.receive(true);
    if (answer.kind === 'failed' || answer.kind === 'refused') {
      if (isChild(batch, answer)) await endChild(player);
      else await killChild(player, batch, answer, plan);
      if (unmapped !== undefined) throw unmapped;
      throw executionFailure(plan.execution, batch, answer, program) ?? failure(batch, answer);
    }
    if (answer.kind === 'done')
      throw new CaissonError('the container ended before it was started', { code: 'ELAUNCHER' });
    if (answer.pause === PAUSE_ID_MAPS) {
      // A child without maps fails at its next step, as nobody; that failure is then told by its cause.
      await helperMaps(port, spec, slotValue(batch, answer, plan.pid)).catch((error: unknown) => {
        unmapped = error;
      });
    }
    if (answer.pause === PAUSE_HOOKS && plan.hooks !== undefined)
      await orEnd(player, options.hooks?.(pausedPid(batch, answer, plan.hooks)));
    if (answer.pause === PAUSE_PROGRAM && plan.program !== undefined)
      await orEnd(player, requireProgram(program, programErrno(plan.program, batch, answer)));
    if (answer.pause === PAUSE_TRACE) stamps = stampsOf(batch, answer);
    if (answer.pause === PAUSE_STARTED) {
      stamps = [...stamps, ...stampsOf(batch, answer).filter(({ at }) => at > (stamps.at(-1)?.at ?? 0))];
      return { batch, answer, stamps };
    }
    await player.continue();
  }
}

/** Waits for what TypeScript does while the child pauses; when it fails the end of the channel ends child and launcher. */
async function orEnd(player: Player, work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    await player.close();
    throw error;
  }
}

/** Plays the plan of an attached run. Throws CaissonError with provenance when a step fails: the child is then gone. */
export async function start(
  port: Port,
  player: Player,
  spec: Spec,
  plan: StartPlan,
  options: StartOptions = {},
): Promise<Running> {
  const { batch, answer, stamps } = await play(port, player, spec, plan, options);
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
  await player.continue();
  return running;
}

/**
 * Plays a plan with a barrier. The result is the process id of the container, which waits for `start` and no longer
 * needs the launcher. Throws CaissonError with provenance when a step fails: the child is then gone.
 */
export async function create(
  port: Port,
  player: Player,
  spec: Spec,
  plan: StartPlan,
  options: StartOptions = {},
): Promise<number> {
  const { batch, answer } = await play(port, player, spec, plan, options);
  const dead = plan.created === undefined ? undefined : readExit(batch, answer, plan.created);
  if (dead !== undefined) {
    const how = dead.signal > 0 ? `signal ${dead.signal}` : `exit code ${dead.code}`;
    throw new CaissonError(`the container ended while it was created (${how})`, { code: 'ELAUNCHER' });
  }
  await player.continue();
  await player.receive(true);
  return slotValue(batch, answer, plan.pid);
}

function isChild(batch: Batch, answer: Answer): boolean {
  return batch.records[answer.index]?.step.actor === 'child';
}
