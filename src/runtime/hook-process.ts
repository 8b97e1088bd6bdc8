// A hook that runs: collects its output, waits for its end, ends it when its time is over.
import { SIGNALS } from '../linux/signals.ts';
import { call, number } from '../plan/call.ts';
import { type HookRound, hookRound, killHook } from '../plan/compile/hook-wait.ts';
import { type Answer, type Batch, bufferBytes, slotValue } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import { failure } from './failure.ts';
import type { Player } from './player.ts';

/** What is kept of one stream of output; a hook that prints more is drained all the same. */
const OUTPUT_LIMIT = 64 << 10;

/** Rounds of reading after the end, lest a descendant that keeps printing keeps the runtime. */
const LAST_ROUNDS = 32;

/** A hook beyond its execve. */
export class RunningHook {
  readonly output = { stdout: '', stderr: '' };
  private readonly player: Player;
  private readonly pid: number;
  private readonly pidfd: number;
  /** Descriptors in the launcher that are still read, -1 after their end. */
  private readonly open: { stdout: number; stderr: number };
  private readonly descriptors: readonly number[];

  constructor(player: Player, from: { pid: number; pidfd: number; stdout: number; stderr: number }) {
    this.player = player;
    this.pid = from.pid;
    this.pidfd = from.pidfd;
    this.open = { stdout: from.stdout, stderr: from.stderr };
    this.descriptors = [from.pidfd, from.stdout, from.stderr].filter((fd) => fd >= 0);
  }

  /** Returns why the hook has failed, `''` when it has not, `timeout` when it had to be killed. */
  async wait(remaining: () => number | undefined): Promise<string> {
    for (;;) {
      const patience = remaining();
      const { why } = await this.round(patience, false);
      if (why !== undefined) {
        await this.drain();
        return why;
      }
      if (patience === 0) {
        await this.player.play(killHook(this.pid, this.pidfd));
        return 'timeout';
      }
    }
  }

  private async round(
    patience: number | undefined,
    reaped: boolean,
  ): Promise<{ why: string | undefined; read: boolean }> {
    const plan = hookRound(this.pidfd, this.open, patience, reaped);
    const batch = await this.player.send(plan.steps);
    const answer = await this.player.receive(patience === 0);
    if (answer.kind !== 'done') throw failure(batch, answer);
    let read = false;
    for (const name of ['stdout', 'stderr'] as const) {
      if (this.open[name] < 0) continue;
      const count = slotValue(batch, answer, plan.counts[name]);
      if (count === 0) this.open[name] = -1;
      if (count <= 0) continue;
      read = true;
      const more = bufferBytes(batch, answer, plan.buffers[name], count);
      this.output[name] = (this.output[name] + more).slice(0, OUTPUT_LIMIT);
    }
    return { why: reaped ? '' : endOf(batch, answer, plan), read };
  }

  private async drain(): Promise<void> {
    for (let rounds = 0; rounds < LAST_ROUNDS; rounds++) {
      if (!(await this.round(0, true)).read) return;
    }
  }

  async close(): Promise<void> {
    await this.player.play([
      step('parent', 'close', 'close what the hook had', 'default: clean up', [
        ...this.descriptors.map((fd) => call('close', [number(fd)])),
      ]),
    ]);
  }
}

/** What Go calls the signals from 1 on: engines show runc's message as it is. */
const SIGNAL_TEXTS = [
  'hangup',
  'interrupt',
  'quit',
  'illegal instruction',
  'trace/breakpoint trap',
  'aborted',
  'bus error',
  'floating point exception',
  'killed',
  'user defined signal 1',
  'segmentation fault',
  'user defined signal 2',
  'broken pipe',
  'alarm clock',
  'terminated',
];

/** si_code of a process that exited by itself (waitid(2)). */
const CLD_EXITED = 1;

function endOf(batch: Batch, answer: Answer, plan: HookRound): string | undefined {
  if (slotValue(batch, answer, plan.ended) === 0) return undefined;
  const status = slotValue(batch, answer, plan.status);
  if (slotValue(batch, answer, plan.code) === CLD_EXITED) return status === 0 ? '' : `exit status ${status}`;
  const other = status === SIGNALS.SIGSYS ? 'bad system call' : `signal ${status}`;
  return `signal: ${SIGNAL_TEXTS[status - 1] ?? other}`;
}
