// The hand-over of a listener of seccomp: when the notifier may send it, and what happens when that fails.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import * as F from '../linux/flags.ts';
import { SIGNALS } from '../linux/signals.ts';
import { call, NULL, number } from '../plan/call.ts';
import type { StartPlan } from '../plan/compile.ts';
import { type Answer, type Batch, slotValue } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import type { Player } from './player.ts';

/** Milliseconds between looks. */
const PAUSE = 1;

/** Looks at the table after which a filter that is loaded is enough. */
const LOOKS = 3000;

/** Times that a child is seen asleep before it counts as one that waits for a batch, because a step has failed. */
const ASLEEP = 3;

/**
 * Waits until the notifier, which pauses, has the listener in its table. False when it will not get it: the child is
 * gone, or sleeps before it has its filter, which only a child does that has failed and waits to be told to end.
 */
export async function listenerThere(
  port: Port,
  plan: StartPlan,
  batch: Batch,
  answer: Answer,
): Promise<boolean> {
  const { notifier } = plan;
  if (notifier === undefined) return true;
  const table = `/proc/${slotValue(batch, answer, notifier.pid)}/fd`;
  const listener = String(slotValue(batch, answer, notifier.listener));
  const child = `/proc/${slotValue(batch, answer, plan.pid)}/status`;
  // The child was born with the filters of this process.
  const inherited = Number(field(port.readFile('/proc/self/status'), 'Seccomp_filters'));
  for (let asleep = 0, looks = 0; asleep < ASLEEP; looks++) {
    // Not in the status alone: the filter counts a moment before its listener can be seen.
    if (port.list(table).includes(listener)) return true;
    const status = port.readFile(child);
    if (status === undefined) return false;
    const state = field(status, 'State');
    if (state === 'Z' || state === 'X') return false;
    const loaded = Number(field(status, 'Seccomp_filters')) > inherited;
    // The table of a notifier may be closed to this process; it can only try then.
    if (loaded && looks > LOOKS) return true;
    asleep = state === 'S' && !loaded ? asleep + 1 : 0;
    await new Promise<void>((resolve) => {
      port.after(PAUSE, resolve);
    });
  }
  return false;
}

/** The first word of a field of /proc/PID/status (proc(5)). */
function field(status: Bytes | undefined, name: string): Bytes {
  return status?.match(new RegExp(`^${name}:\\s*(\\S+)`, 'm'))?.[1] ?? '0';
}

/**
 * Ends a start with a notifier in which a step has failed. The child, the notifier and the launcher may all wait for
 * the channel: its end is what all of them understand. A program that runs already has no agent and must go first.
 */
export async function endNotified(
  player: Player,
  plan: StartPlan,
  batch: Batch,
  answer: Answer,
): Promise<void> {
  if (batch.records[answer.index]?.step.actor === 'notifier') {
    // The notifier answers like any launcher, and has the child's pidfd in its table.
    await player.send([
      step('parent', 'kill-container', 'kill the container', 'default: clean up', [
        call('pidfd_send_signal', [
          number(slotValue(batch, answer, plan.pidfd)),
          number(SIGNALS.SIGKILL, F.SIGNALS),
          NULL,
          number(0),
        ]),
      ]),
    ]);
    await player.receive(true).catch(() => undefined);
  }
  await player.close();
}
