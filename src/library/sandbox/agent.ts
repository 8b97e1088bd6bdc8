// The agent of a sandbox: a launcher that has joined it, starts programs in it, and waits for all of them at once.
//
// Batches are answered in their order. One that waits (ppoll) ends when a program ends or writes, and when another
// batch comes; so there is a waiting batch whenever a program runs, and whatever else is to be done is sent behind it.
import type { Channel, Port } from '../../host/port.ts';
import { POLLIN } from '../../linux/constants/poll.ts';
import { P_PIDFD, WEXITED, WNOHANG } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import {
  type Call,
  call,
  type Field,
  NULL,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../../plan/call.ts';
import { CHANNEL } from '../../plan/channel.ts';
import type { InsidePlan } from '../../plan/compile-inside.ts';
import { type Answer, type Batch, decodeAnswer, slotValue } from '../../plan/encode.ts';
import { type Step, step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { FRAME_SIZE } from '../../plan/wire.ts';
import { executionFailure } from '../../runtime/execution.ts';
import { failure } from '../../runtime/failure.ts';
import { type Played, Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';

/** What is read at once of an output that has written little so far, and of one that writes much, in bytes. */
const SMALL = 1 << 10;
const LARGE = 64 << 10;
const SIGINFO = 128;

/** How a program ended: waitid(2). */
export interface InsideExit {
  /** Exit code, or 128 + the signal. */
  readonly code: number;
  readonly signal: number;
}

/** Somebody who gets what a program writes, and its end. */
export interface Listener {
  output(stream: 1 | 2, bytes: Uint8Array): void;
  ended(exit: InsideExit): void;
  failed(error: unknown): void;
}

/** A descriptor of the agent; before the answer to its batch has come, the place where it will be. */
type Descriptor = number | Slot;

interface Stream {
  fd: Descriptor;
  room: number;
}

interface Program {
  readonly listener: Listener;
  pidfd: Descriptor;
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** The ends of its output that are kept open. */
  kept: readonly number[];
  exit: InsideExit | undefined;
}

/** What one waiting batch looks at. */
interface Watched {
  readonly program: Program;
  readonly siginfo: OutBuffer;
  readonly outputs: readonly Output[];
}

interface Output {
  readonly stream: Stream;
  readonly number: 1 | 2;
  readonly buffer: OutBuffer;
  readonly count: Slot;
}

interface Sent {
  readonly batch: Batch | Promise<Batch>;
  readonly watched: readonly Watched[];
  readonly answered: (batch: Batch, answer: Answer) => void;
  readonly lost: (error: unknown) => void;
}

export class Agent {
  private readonly player: Player;
  private readonly channel: Channel;
  private readonly queue: Sent[] = [];
  private readonly programs = new Set<Program>();
  /** Descriptors of programs that have ended. */
  private readonly unused: number[] = [];
  private reading = false;
  private gone: unknown;

  constructor(port: Port, channel: Channel) {
    this.channel = channel;
    this.player = new Player(port, channel);
  }

  /** Plays steps, whatever runs meanwhile. Throws CaissonError ESYSCALL when one fails, ELAUNCHER without the agent. */
  play(steps: readonly Step[]): Promise<Played> {
    return new Promise((resolve, reject) => {
      this.send(steps, [], {
        answered: (batch, answer) => {
          if (answer.kind === 'done') resolve({ batch, answer });
          else reject(failure(batch, answer));
        },
        lost: reject,
      });
    });
  }

  /**
   * Starts a program; `listener` is told of its output and its end, or that it could not be started (CaissonError, exit
   * code 126 or 127 as a shell has them). The result kills it, by its descriptor.
   */
  start(plan: InsidePlan, name: string, listener: Listener): Program {
    const program: Program = {
      listener,
      pidfd: plan.pidfd,
      stdout: { fd: plan.stdout, room: SMALL },
      stderr: { fd: plan.stderr, room: SMALL },
      kept: [],
      exit: undefined,
    };
    const others = this.known();
    this.programs.add(program);
    this.send(plan.steps, [...others, program], {
      answered: (batch, answer) => {
        this.began(program, plan, name, batch, answer);
      },
      lost: (error) => {
        this.programs.delete(program);
        listener.failed(error);
      },
    });
    return program;
  }

  /** Sends a signal to a program that has been started. */
  async signal({ pidfd }: Program, signal: number): Promise<void> {
    if (typeof pidfd !== 'number') return;
    const calls = [
      call('pidfd_send_signal', [number(pidfd), number(signal, F.SIGNALS), NULL, number(0)], {
        tolerate: [ERRNO.ESRCH],
      }),
    ];
    await this.play([step('parent', 'signal', `send signal ${signal}`, CAUSE, calls)]);
  }

  async close(): Promise<void> {
    this.gone ??= closed();
    await this.channel.close();
  }

  private send(
    steps: readonly Step[],
    programs: readonly Program[],
    told: Pick<Sent, 'answered' | 'lost'>,
  ): void {
    if (this.gone !== undefined) {
      told.lost(this.gone);
      return;
    }
    const watched = programs.map(watch);
    const all = [...this.closing(), ...steps, ...(watched.length === 0 ? [] : [waitStep(watched)])];
    const batch = this.player.send(all);
    this.queue.push({ batch, watched, ...told });
    if (!this.reading) void this.read();
  }

  /** Takes answers in their order, and keeps a batch waiting as long as a program runs. */
  private async read(): Promise<void> {
    this.reading = true;
    try {
      for (let sent = this.queue[0]; sent !== undefined; sent = this.queue[0]) {
        const batch = await sent.batch;
        const answer = await this.player.receive(false);
        this.queue.shift();
        sent.answered(batch, answer);
        if (answer.kind === 'done') for (const one of sent.watched) this.look(one, batch, answer);
        if (this.unwatched()) this.wait();
      }
    } catch (error) {
      this.lose(error);
    } finally {
      this.reading = false;
    }
  }

  /** Whether a program runs that the last batch does not look at. */
  private unwatched(): boolean {
    const watched = this.queue.at(-1)?.watched ?? [];
    return this.known().some((program) => !watched.some((one) => one.program === program));
  }

  /** Programs whose descriptors are known. */
  private known(): Program[] {
    return [...this.programs].filter(({ pidfd }) => typeof pidfd === 'number');
  }

  private wait(): void {
    this.send([], this.known(), {
      answered: (batch, answer) => {
        if (answer.kind !== 'done') throw failure(batch, answer);
      },
      lost: () => undefined,
    });
  }

  private lose(error: unknown): void {
    this.gone ??= error;
    for (const { lost } of this.queue.splice(0)) lost(this.gone);
    for (const { listener } of this.programs) listener.failed(this.gone);
    this.programs.clear();
  }

  private began(program: Program, plan: InsidePlan, name: string, batch: Batch, answer: Answer): void {
    if (answer.kind !== 'done') {
      this.programs.delete(program);
      program.listener.failed(failure(batch, answer));
      return;
    }
    program.pidfd = slotValue(batch, answer, plan.pidfd);
    program.stdout.fd = slotValue(batch, answer, plan.stdout);
    program.stderr.fd = slotValue(batch, answer, plan.stderr);
    program.kept = plan.kept.map((end) => slotValue(batch, answer, end));
    const complained = slotValue(batch, answer, plan.complained);
    if (complained < FRAME_SIZE) return;
    const at = batch.buffers.get(plan.complaint) ?? 0;
    const bytes = answer.data.subarray(at, at + complained);
    const data = new Uint8Array(batch.replyLength);
    data.set(bytes.subarray(FRAME_SIZE, FRAME_SIZE + data.length));
    const said = decodeAnswer(bytes.subarray(0, FRAME_SIZE), data);
    const error = executionFailure(plan.execution, batch, said, name) ?? failure(batch, said);
    program.listener.failed(error);
  }

  private look({ program, siginfo, outputs }: Watched, batch: Batch, answer: Answer): void {
    if (!this.programs.has(program)) return;
    let full = false;
    for (const { stream, number: stdio, buffer, count } of outputs) {
      const length = slotValue(batch, answer, count);
      if (length <= 0) continue;
      const at = batch.buffers.get(buffer) ?? 0;
      program.listener.output(stdio, answer.data.slice(at, at + length));
      full ||= length === buffer.length;
      if (length === buffer.length) stream.room = LARGE;
    }
    program.exit ??= readExit(answer.data, batch.buffers.get(siginfo) ?? 0);
    // What was written before the end has been read once there was less than there was room for.
    if (program.exit === undefined || full) return;
    this.programs.delete(program);
    this.forget(program);
    program.listener.ended(program.exit);
  }

  /** Its descriptors are closed by the next batch, whatever that is for. */
  private forget({ pidfd, stdout, stderr, kept }: Program): void {
    for (const fd of [pidfd, stdout.fd, stderr.fd, ...kept]) if (typeof fd === 'number') this.unused.push(fd);
  }

  private closing(): Step[] {
    if (this.unused.length === 0) return [];
    const calls = this.unused.splice(0).map((fd) => sys.close(fd));
    return [step('parent', 'forget', 'close what belonged to programs that have ended', CAUSE, calls)];
  }
}

const CAUSE = 'default: a sandbox has an agent';

function closed(): CaissonError {
  return new CaissonError('the sandbox has ended', { code: 'ENOTRUNNING' });
}

function watch(program: Program): Watched {
  const outputs = ([1, 2] as const).map((stdio) => {
    const stream = stdio === 1 ? program.stdout : program.stderr;
    return {
      stream,
      number: stdio,
      buffer: outBuffer(`output ${stdio}`, stream.room),
      count: slot(`count ${stdio}`, { reply: true }),
    };
  });
  return { program, siginfo: outBuffer('siginfo', SIGINFO), outputs };
}

/** ppoll(2) for all of them and the channel, then what each has to say. */
function waitStep(watched: readonly Watched[]): Step {
  const sources: Descriptor[] = watched.flatMap(({ program, outputs }) =>
    // Its end is known: only what is left of its output counts.
    program.exit === undefined ? [program.pidfd, ...outputs.map(({ stream }) => stream.fd)] : [],
  );
  const waits = sources.length > 0 && watched.every(({ program }) => program.exit === undefined);
  const copies: Call[] = [];
  const fields = [CHANNEL, ...sources].flatMap((fd, index): Field[] => {
    const events = { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS };
    if (typeof fd === 'number') return [{ name: 'fd', width: 4, value: fd }, events];
    const place = slot(`poll ${index}`, { width: 4 });
    copies.push(sys.check(fd, 'GE', 0, ERRNO.EBADF, { result: place }));
    return [{ name: 'fd', width: 4, value: place }, events];
  });
  const poll = [pointer(struct(...fields), 'fixed'), number(1 + sources.length), NULL, NULL, number(0)];
  const calls = [...copies, ...(waits ? [call('ppoll', poll)] : []), ...watched.flatMap(readCalls)];
  return step('parent', 'wait', 'wait for programs of the sandbox', CAUSE, calls);
}

/** The end first: what is read after it is all that there was. */
function readCalls({ program, siginfo, outputs }: Watched): Call[] {
  const ended = call(
    'waitid',
    [
      number(P_PIDFD, F.WAIT_TYPES),
      value(program.pidfd),
      pointer({ kind: 'out', buffer: siginfo }, 'fixed'),
      number(WEXITED | WNOHANG, F.WAIT_FLAGS),
      NULL,
      // The batch before this one has seen its end, too.
    ],
    { tolerate: [ERRNO.ECHILD] },
  );
  return [
    ...(program.exit === undefined ? [ended] : []),
    ...outputs.map(({ stream, buffer, count }) =>
      call('read', [value(stream.fd), pointer({ kind: 'out', buffer }, 2), number(buffer.length)], {
        result: count,
        tolerate: [ERRNO.EAGAIN],
      }),
    ),
  ];
}

const CLD_EXITED = 1;

/** siginfo_t of waitid(2): si_code at 8, si_pid at 16, si_status at 24; all zero while it runs. */
function readExit(data: Uint8Array, at: number): InsideExit | undefined {
  const view = new DataView(data.buffer, data.byteOffset + at, SIGINFO);
  if (view.getInt32(16, true) === 0) return undefined;
  const status = view.getInt32(24, true);
  return view.getInt32(8, true) === CLD_EXITED
    ? { code: status, signal: 0 }
    : { code: 128 + status, signal: status };
}

export type { Program };
