// Checks that a plan keeps every constraint of order and memory; each stands once, with its reason (docs/order.md).
import type { Plan } from './step.ts';
import { BARRIER_ORDER } from './verify/barrier-order.ts';
import { COMPANY_ORDER } from './verify/company-order.ts';
import type { Constraint, Violation } from './verify/constraint.ts';
import { JOIN_ORDER } from './verify/join-order.ts';
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
  'Hooks, agents and network devices': COMPANY_ORDER,
  'Arguments and memory': MEMORY_RULES,
};

/** Of the constraints on namespaces those that a join of all at once has as well. */
export const SHARED: readonly string[] = [
  'close-range-first',
  'one-fork',
  'pid-before-fork',
  'cgroup-before-work',
];

/** The constraints on the plan of an exec by subject. */
export const EXEC_CONSTRAINTS: Readonly<Record<string, readonly Constraint[]>> = {
  'Launcher, namespaces and cgroups': NAMESPACE_ORDER.filter(({ id }) => SHARED.includes(id)),
  'Joining a container': JOIN_ORDER,
  'The process': PROCESS_ORDER,
  'Arguments and memory': MEMORY_RULES,
};

/** What the plan of a start breaks; empty when it is right. A violation is a defect of the compiler, never of the user. */
export function verify(plan: Plan): Violation[] {
  return violations(plan, CONSTRAINTS);
}

/** The same for the plan of an exec. */
export function verifyExec(plan: Plan): Violation[] {
  return violations(plan, EXEC_CONSTRAINTS);
}

function violations(plan: Plan, subjects: Readonly<Record<string, readonly Constraint[]>>): Violation[] {
  const time = new Timeline(plan);
  return Object.values(subjects).flatMap((constraints) =>
    constraints.flatMap(({ id, check }) =>
      check(time).map(({ message, moment }) => ({
        constraint: id,
        message,
        ...(moment === undefined ? {} : { step: moment.step.id }),
      })),
    ),
  );
}
