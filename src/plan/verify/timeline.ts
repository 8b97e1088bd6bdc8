// The calls of a plan in time: what has certainly happened before what, in two processes that talk through pipes.
import { type Call, isSlot, type Slot } from '../call.ts';
import { writtenArguments } from '../kernel-writes.ts';
import type { Actor, Plan, Step } from '../step.ts';

/** One call where it stands. `at` counts the calls of its actor. */
export interface Moment {
  readonly step: Step;
  readonly call: Call;
  readonly actor: Actor;
  readonly at: number;
}

export type Is = (moment: Moment) => boolean;

/** `cause` has happened when `effect` returns: a byte through a pipe, a descriptor through a socket, execve closing a pipe. */
interface Edge {
  readonly cause: Moment;
  readonly effect: Moment;
}

export class Timeline {
  readonly parent: readonly Moment[];
  readonly child: readonly Moment[];
  /** In no order with the others that these constraints know of. */
  readonly notifier: readonly Moment[];
  /** Every moment, the parent's first, the child's last. */
  readonly all: readonly Moment[];
  /** Where the parent forks; the child comes after everything up to there. */
  readonly forkAt: number;
  /** Where the notifier forks the child, which comes after that. */
  private readonly notifierForkAt: number;
  private readonly edges: readonly Edge[];

  constructor(plan: Plan) {
    this.parent = moments(plan, 'parent');
    this.child = moments(plan, 'child');
    this.notifier = moments(plan, 'notifier');
    this.all = [...this.parent, ...this.notifier, ...this.child];
    this.notifierForkAt = this.notifier.findIndex(({ call }) => call.name === 'FORK');
    const fork = this.parent.findIndex(({ call }) => call.name === 'FORK');
    this.forkAt = fork < 0 ? this.parent.length : fork;
    this.edges = edges(this.parent, this.child);
  }

  /** Whether `first` has happened whenever `second` begins. */
  precedes(first: Moment, second: Moment): boolean {
    if (first.actor === second.actor) return first.at < second.at;
    if (first.actor === 'parent' && first.at <= this.forkAt) return true;
    if (first.actor === 'notifier') return second.actor === 'child' && first.at <= this.notifierForkAt;
    if (second.actor === 'parent' && second.at <= this.forkAt) return false;
    return this.edges.some(
      ({ cause, effect }) =>
        cause.actor === first.actor &&
        first.at <= cause.at &&
        effect.actor === second.actor &&
        effect.at < second.at,
    );
  }

  where(is: Is): Moment[] {
    return this.all.filter(is);
  }
}

function moments(plan: Plan, actor: Actor): Moment[] {
  const steps = plan.steps.filter((step) => step.actor === actor);
  return steps
    .flatMap((step) => step.calls.map((call) => ({ step, call })))
    .map((each, at) => ({ ...each, actor, at }));
}

const SENDS: readonly string[] = ['write', 'sendmsg'];
const RECEIVES: readonly string[] = ['read', 'recvmsg'];

function edges(parent: readonly Moment[], child: readonly Moment[]): Edge[] {
  const found: Edge[] = [];
  for (const [one, other] of parent.flatMap(({ call }) => channelEnds(call))) {
    for (const [from, to] of [
      [parent, child],
      [child, parent],
    ] as const) {
      for (const [sender, receiver] of [
        [one, other],
        [other, one],
      ] as const) {
        const cause = from.find(({ call }) => SENDS.includes(call.name) && firstSlot(call) === sender);
        const effect = to.find(({ call }) => RECEIVES.includes(call.name) && firstSlot(call) === receiver);
        if (cause && effect) found.push({ cause, effect });
      }
    }
  }
  return found;
}

/** The two slots that pipe2 or socketpair fill. */
function channelEnds(call: Call): [Slot, Slot][] {
  if (call.name !== 'pipe2' && call.name !== 'socketpair') return [];
  const arg = call.args[writtenArguments(call)[0] ?? 0];
  if (arg?.kind !== 'memory' || arg.memory.kind !== 'struct') return [];
  const [one, other] = arg.memory.fields.map(({ value }) => value);
  return isSlot(one) && isSlot(other) ? [[one, other]] : [];
}

export function firstSlot(call: Call): Slot | undefined {
  const arg = call.args[0];
  return arg?.kind === 'slot' ? arg : undefined;
}
