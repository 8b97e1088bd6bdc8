// A step is what a person reads in a plan: a title, the configuration fields that caused it, and its calls.
import type { Pointer } from '../spec/error.ts';
import type { Call } from './call.ts';

/**
 * Who plays a step: the launcher that stays outside, its child that becomes the container, or the notifier between the
 * two that hands a listener of seccomp over (src/plan/compile/notify.ts).
 */
export type Actor = 'parent' | 'child' | 'notifier';

export interface Step {
  /** Stable name of the kind of step, for verify, the trace and mutation tests: `mount`, `pivot-root`, ... */
  readonly id: string;
  readonly actor: Actor;
  /** "mount proc at /proc". */
  readonly title: string;
  /** JSON pointers into the configuration; `default: why` where no field is the cause. */
  readonly provenance: readonly Pointer[];
  readonly calls: readonly Call[];
  /** What takes the step's effect on the host back, played in reverse order of the steps. */
  readonly undo?: readonly Call[];
}

/** Steps in the order in which a person follows them: parent up to the fork, child, parent after it. */
export interface Plan {
  readonly steps: readonly Step[];
}

export function step(
  actor: Actor,
  id: string,
  title: string,
  provenance: Pointer | readonly Pointer[],
  calls: readonly Call[],
  undo?: readonly Call[],
): Step {
  const causes = typeof provenance === 'string' ? [provenance] : provenance;
  return undo === undefined
    ? { id, actor, title, provenance: causes, calls }
    : { id, actor, title, provenance: causes, calls, undo };
}

/** Where in a start a step is played: before the fork, in the child, or in the launcher beside the child. */
export type Section = 'before' | 'notifier' | 'child' | 'after';

/** The steps in the order in which they are counted and read: parent up to the fork, child, parent after it. */
export function readingOrder(plan: Plan): readonly { readonly step: Step; readonly section: Section }[] {
  const parent = plan.steps.filter(({ actor }) => actor === 'parent');
  const forked = parent.findIndex(({ calls }) => calls.some(({ name }) => name === 'FORK'));
  const cut = forked < 0 ? parent.length : forked + 1;
  return [
    ...parent.slice(0, cut).map((step) => ({ step, section: 'before' as const })),
    ...plan.steps
      .filter(({ actor }) => actor === 'notifier')
      .map((step) => ({ step, section: 'notifier' as const })),
    ...plan.steps
      .filter(({ actor }) => actor === 'child')
      .map((step) => ({ step, section: 'child' as const })),
    ...parent.slice(cut).map((step) => ({ step, section: 'after' as const })),
  ];
}
