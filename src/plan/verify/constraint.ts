// What a constraint of verify is, and the few shapes that nearly all of them have.
import type { Is, Moment, Timeline } from './timeline.ts';

/** A constraint that a plan breaks. */
export interface Violation {
  /** The id of the constraint. */
  readonly constraint: string;
  /** What was found, for people. */
  readonly message: string;
  /** The step that is out of order. */
  readonly step?: string;
}

export interface Constraint {
  readonly id: string;
  /** "A before B", as docs/order.md says it. */
  readonly order: string;
  readonly reason: string;
  /** Numbers in brackets are the facts of `../shared/facts/launcher.md` 4.2, measured on Linux 6.18. */
  readonly source: string;
  readonly check: (time: Timeline) => readonly Finding[];
}

export interface Finding {
  readonly message: string;
  readonly moment?: Moment;
}

export function describe({ call, step, actor }: Moment): string {
  return `${call.name} of the ${actor}'s step "${step.title}"`;
}

/** Every `first` has happened when any `second` begins. */
export function before(first: Is, second: Is): Constraint['check'] {
  return (time) => {
    const earlier = time.where(first);
    for (const moment of time.where(second)) {
      const late = earlier.find((each) => each !== moment && !time.precedes(each, moment));
      if (late !== undefined)
        return [{ message: `${describe(moment)} comes before ${describe(late)}`, moment }];
    }
    return [];
  };
}

/** No `what` without an `earlier` that has happened. */
export function needs(what: Is, earlier: Is): Constraint['check'] {
  return (time) => {
    const found = time.where(earlier);
    const moment = time.where(what).find((each) => !found.some((one) => time.precedes(one, each)));
    return moment === undefined
      ? []
      : [{ message: `${describe(moment)} has nothing before it that it needs`, moment }];
  };
}

/** Every `what` is followed by a `later`. */
export function followed(what: Is, later: Is): Constraint['check'] {
  return (time) => {
    const found = time.where(later);
    const moment = time.where(what).find((each) => !found.some((one) => time.precedes(each, one)));
    return moment === undefined
      ? []
      : [{ message: `${describe(moment)} is not followed by what must follow`, moment }];
  };
}

/** No such call. */
export function never(what: Is): Constraint['check'] {
  return (time) => time.where(what).map((moment) => ({ message: `${describe(moment)} must not be`, moment }));
}

/** All of the checks. */
export function every(...checks: readonly Constraint['check'][]): Constraint['check'] {
  return (time) => checks.flatMap((check) => check(time));
}
