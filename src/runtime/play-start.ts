// Plays a start up to its program or to its barrier: sends the batches, answers the pauses, undoes what failed half-way.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { F_OK } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import { SIGNALS } from '../linux/signals.ts';
import { call, NULL, number, type Slot, slot, string } from '../plan/call.ts';
import { PAUSE_HOOKS, PAUSE_START_HOOKS } from '../plan/compile/hooks.ts';
import { mapText, PAUSE_ID_MAPS, PAUSE_STARTED, PAUSE_TRACE } from '../plan/compile/namespaces.ts';
import { PAUSE_NOTIFY } from '../plan/compile/notify.ts';
import { PAUSE_PROGRAM } from '../plan/compile/program.ts';
import type { Beginning, StartPlan } from '../plan/compile.ts';
import { AT_FDCWD } from '../plan/descriptor.ts';
import { type Answer, type Batch, knownSlots, slotValue, supply } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxIDMapping, Spec } from '../spec/runtime-spec.ts';
import { executionFailure, programErrno, requireProgram } from './execution.ts';
import { failure } from './failure.ts';
import { pausedPid } from './hooks.ts';
import { endNotified, listenerThere } from './notify.ts';
import type { Player } from './player.ts';

/** What is started: a plan, and its beginning where that can be played while the rest is compiled. */
export interface Startable {
  readonly spec: Spec;
  readonly plan: StartPlan;
  readonly beginning?: Beginning;
}

/** One time stamp of a traced start: when the call had returned, nanoseconds of CLOCK_MONOTONIC. */
export interface Stamp {
  readonly step: Step;
  readonly at: number;
}

/** What a caller of `play` does while the start is under way. */
export interface StartOptions {
  readonly trace?: boolean;
  /** Steps of the launcher that come first, in the same batch. */
  readonly before?: readonly Step[];
  /** The child has made its mounts and waits; its process id. A rejection ends the child. */
  readonly hooks?: (pid: number) => Promise<void>;
  /** The container is complete and waits, without a barrier, before its program. */
  readonly startHooks?: (pid: number) => Promise<void>;
}

/** A start that has come to its program, or to its barrier. The launcher pauses: `player.continue` lets it go on. */
export interface Begun {
  /** The batch with the launcher's own part. */
  readonly batch: Batch;
  readonly answer: Answer;
  readonly stamps: readonly Stamp[];
  readonly plan: StartPlan;
}

/** What was sent: the launcher's batch, and the child's where it got one of its own. */
interface Sent {
  readonly batch: Batch;
  readonly own: Batch | undefined;
  readonly plan: StartPlan;
}

/**
 * Sends the plan; where it can be, the beginning first, so that cgroups and namespaces are made while the rest is
 * compiled. The child then waits for a batch of its own, and answers to it (docs/plan.md, One channel, two owners).
 */
async function sendPlan(
  player: Player,
  started: Startable,
  { trace = false, before = [] }: StartOptions,
): Promise<Sent> {
  const { beginning } = started;
  const early = beginning?.early;
  if (beginning === undefined || early === undefined || trace) {
    const { plan } = started;
    return { plan, batch: await player.send([...before, ...plan.steps], { trace }), own: undefined };
  }
  const batch = await player.send([...before, ...early], { replies: 'all' });
  let plan: StartPlan | undefined;
  let own: Batch | undefined;
  let refused: unknown;
  try {
    plan = started.plan;
    own = player.encode(plan.steps.slice(early.length), { after: batch, unlike: batch.replyLength });
  } catch (error) {
    refused = error;
  }
  const answer = await player.receive(true);
  if (answer.kind !== 'done') {
    if (isChild(batch, answer)) await endChild(player);
    else await killChild(player, batch, answer, beginning.forked.pid);
    throw failure(batch, answer, undefined, plan);
  }
  if (plan === undefined || own === undefined) {
    await endChild(player);
    throw refused;
  }
  try {
    supply(own, knownSlots(batch, answer));
    await player.transmit(own);
    return { plan, batch, own };
  } catch (error) {
    // The child reads the channel: what cleans up would be played by it.
    await endChild(player);
    throw error;
  }
}

/**
 * Plays a start plan. Throws CaissonError with provenance when a step fails: child and launcher are then gone. The
 * channel may be the child's at that moment, and what cleans up must not be played by it: it would freeze and kill
 * itself. So the channel ends, and whoever cleans up has a launcher of its own.
 */
export async function play(
  port: Port,
  player: Player,
  started: Startable,
  options: StartOptions,
): Promise<Begun> {
  try {
    return await playPlan(port, player, started, options);
  } catch (error) {
    await player.close();
    throw error;
  }
}

async function playPlan(
  port: Port,
  player: Player,
  started: Startable,
  options: StartOptions,
): Promise<Begun> {
  const { spec } = started;
  const { batch, own = batch, plan } = await sendPlan(player, started, options);
  let stamps: Stamp[] = [];
  let unmapped: unknown;
  const program = spec.process?.args?.[0] ?? '';
  for (;;) {
    const answer = await player.receive(true);
    if (answer.kind === 'failed' || answer.kind === 'refused') {
      const failed = answer.data.length === own.replyLength ? own : batch;
      const there = await hasProgram(player, plan, failed, answer, spec);
      if (plan.notifier !== undefined) await endNotified(player, plan, failed, answer);
      else if (isChild(failed, answer)) await endChild(player, plan.monitor !== undefined);
      else await killChild(player, batch, answer, plan.pid);
      if (unmapped !== undefined) throw unmapped;
      throw (
        executionFailure(plan.execution, failed, answer, program, { plan, there }) ??
        failure(failed, answer, undefined, plan)
      );
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
      await options.hooks?.(pausedPid(own, answer, plan.hooks));
    if (answer.pause === PAUSE_START_HOOKS && plan.hooks !== undefined)
      await options.startHooks?.(pausedPid(own, answer, plan.hooks));
    if (answer.pause === PAUSE_PROGRAM && plan.program !== undefined)
      requireProgram(program, programErrno(plan.program, own, answer));
    if (answer.pause === PAUSE_TRACE) stamps = stampsOf(batch, answer);
    if (answer.pause === PAUSE_STARTED) {
      stamps = [...stamps, ...stampsOf(batch, answer).filter(({ at }) => at > (stamps.at(-1)?.at ?? 0))];
      return { batch, answer, stamps, plan };
    }
    // A child that has failed says so next.
    if (answer.pause === PAUSE_NOTIFY && !(await listenerThere(port, plan, batch, answer))) continue;
    await player.continue();
  }
}

/**
 * Whether a program that execve(2) did not find is there: then its interpreter is not. The child looks, which is still
 * in its root, unless a filter may kill it for that.
 */
async function hasProgram(
  player: Player,
  plan: StartPlan,
  failed: Batch,
  answer: Answer,
  { process, linux }: Spec,
): Promise<boolean> {
  const [program = ''] = process?.args ?? [];
  const executing = failed.records[answer.index]?.step.id === 'execute' && answer.errno === ERRNO.ENOENT;
  if (!executing || !program.includes('/') || linux?.seccomp !== undefined || plan.notifier !== undefined)
    return false;
  const found = slot('found', { reply: true });
  const look = step('parent', 'look', `look for ${program}`, '/process/args', [
    call('faccessat', [number(AT_FDCWD, F.DIRFD), string(program), number(F_OK)], {
      result: found,
      tolerate: [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.EACCES, ERRNO.ELOOP],
    }),
  ]);
  const batch = await player.send([look]);
  const seen = await player.receive(true);
  return seen.kind === 'done' && slotValue(batch, seen, found) === 0;
}

function isChild(batch: Batch, answer: Answer): boolean {
  return batch.records[answer.index]?.step.actor === 'child';
}

/** Ends a child that failed half-way (it waits for a batch), then waits until the launcher speaks again. */
async function endChild(player: Player, unreaped = false): Promise<void> {
  await player.send([
    step('parent', 'exit', 'end the child', 'default: clean up', [call('exit_group', [number(1)])]),
  ]);
  const paused = await player.receive(true);
  if (paused.kind !== 'paused') return;
  await player.continue();
  await player.receive(true);
  // A launcher that would become a monitor does not wait for it, and must not leave it to nobody.
  if (!unreaped) return;
  const reap = call('wait4', [number(-1), NULL, number(0), NULL], { tolerate: [ERRNO.ECHILD] });
  await player.play([step('parent', 'reap', 'reap the child', 'default: clean up', [reap])]);
}

/** The launcher itself failed, after the fork perhaps: its child waits for it and must not be left. */
async function killChild(player: Player, batch: Batch, answer: Answer, forked: Slot): Promise<void> {
  if (answer.kind === 'refused') return;
  const pid = slotValue(batch, answer, forked);
  if (pid <= 0) return;
  const calls = [
    call('kill', [number(pid), number(SIGNALS.SIGKILL, F.SIGNALS)]),
    call('wait4', [number(pid), NULL, number(0), NULL]),
  ];
  await player.play([step('parent', 'kill-child', 'kill the child', 'default: clean up', calls)]);
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

function stampsOf(batch: Batch, answer: Answer): Stamp[] {
  if (batch.traceOffset < 0) return [];
  const view = new DataView(answer.data.buffer, answer.data.byteOffset, answer.data.byteLength);
  return batch.records.flatMap((record, index) => {
    const at = Number(view.getBigUint64(batch.traceOffset + 8 * index, true));
    return record === undefined || at === 0 ? [] : [{ step: record.step, at }];
  });
}
