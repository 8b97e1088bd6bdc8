// Checks that a plan keeps every constraint of order and memory; each stands once, with its reason (docs/order.md).
import type { Plan } from './step.ts';
import { BARRIER_ORDER } from './verify/barrier-order.ts';
import type { Constraint, Violation } from './verify/constraint.ts';
import { MEMORY_RULES } from './verify/memory.ts';
import { MOUNT_ORDER } from './verify/mount-order.ts';
import { NAMESPACE_ORDER } from './verify/namespace-order.ts';
import { PROCESS_ORDER } from './verify/process-order.ts';
import { Timeline } from './verify/timeline.ts';

export type { Constraint, Violation } from './verify/constraint.ts';

/** The constraints by subject, in the order of a start. */
export const CONSTRAINTS: Readonly<Record<string, readonly Constraint[]>> = {
  'Launcher, namespaces and cgroups': NAMESPACE_ORDER,
  'Mounts and root': MOUNT_ORDER,
  'The process': PROCESS_ORDER,
  'The start barrier': BARRIER_ORDER,
  'Arguments and memory': MEMORY_RULES,
};

/** What the plan of a start breaks; empty when it is right. A violation is a defect of the compiler, never of the user. */
export function verify(plan: Plan): Violation[] {
  const time = new Timeline(plan);
  return Object.values(CONSTRAINTS).flatMap((constraints) =>
    constraints.flatMap(({ id, check }) =>
      check(time).map(({ message, moment }) => ({
        constraint: id,
        message,
        ...(moment === undefined ? {} : { step: moment.step.id }),
      })),
    ),
  );
}
