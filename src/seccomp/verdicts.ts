// What each system call number of one architecture gets: a fixed action, or rules on its arguments by precedence.

import { CaissonError, type Pointer } from '../spec/error.ts';
import type { Abi } from './architectures.ts';
import type { Condition, Operator, Rule, RuleList } from './rules.ts';

/** A rule as one architecture sees it. Rules of several calls are the same object, so that equal calls merge. */
export interface ArgumentRule {
  readonly action: number;
  readonly conditions: readonly Condition[];
  readonly pointer: Pointer;
}

/** A SECCOMP_RET_* value, or rules of which the first that matches decides, and else the default action. */
export type Verdict = number | readonly ArgumentRule[];

type Rules = number | ArgumentRule[];

/** Above this are calls of arm's own, and calls to come. */
const NEAR = 512;

/** Verdicts by number: nearly all numbers are small, and an array of them is in order without being sorted. */
export class Verdicts {
  private readonly near = new Array<Rules | undefined>(NEAR).fill(undefined);
  private readonly far = new Map<number, Rules>();
  private readonly base: number;

  /** `base` is the first number of the range. */
  constructor(base: number) {
    this.base = base;
  }

  get(nr: number): Rules | undefined {
    const at = nr - this.base;
    return at < NEAR ? this.near[at] : this.far.get(nr);
  }

  set(nr: number, verdict: Rules): void {
    const at = nr - this.base;
    if (at < NEAR) this.near[at] = verdict;
    else this.far.set(nr, verdict);
  }

  /** Sets an action without conditions, which beats every rule but an earlier one of its kind. */
  decide(nr: number, action: number): void {
    const at = nr - this.base;
    if (at >= NEAR) {
      if (typeof this.far.get(nr) !== 'number') this.far.set(nr, action);
    } else if (typeof this.near[at] !== 'number') {
      this.near[at] = action;
    }
  }

  /** In ascending order. */
  forEach(visit: (nr: number, verdict: Verdict) => void): void {
    const { near } = this;
    for (let at = 0; at < NEAR; at++) {
      const verdict = near[at];
      if (verdict !== undefined) visit(this.base + at, verdict);
    }
    if (this.far.size === 0) return;
    for (const [nr, verdict] of [...this.far].sort(([a], [b]) => a - b)) visit(nr, verdict);
  }
}

/** The system calls of one architecture as a profile sees them. */
export interface NumberedCalls {
  readonly verdicts: Verdicts;
  /** The greatest number that a name of the profile stands for, whatever its action; undefined when none does. */
  readonly newest: number | undefined;
}

/**
 * The verdicts of the numbers that rules name; `base` is the first number of the ABI. Names that the architecture has not are ignored, as runc does.
 *
 * Precedence is libseccomp's (src/db.c): the first rule without conditions beats all with them; among those
 * the more specific comes first (see `precedes`). Throws CaissonError EINVALIDSPEC where libseccomp refuses
 * with EEXIST: a rule whose conditions are those of an earlier one, or its first ones, with another action.
 *
 * runc does not count the calls that i386 can multiplex as named, and so denies their direct numbers; here
 * they count.
 */
export function numberedCalls(list: RuleList, abi: Abi, base: number): NumberedCalls {
  const verdicts = new Verdicts(base);
  const { numbers, multiplexed: carriers } = abi;
  let newest = -1;
  for (const rule of list.rules) {
    const { action, pointer } = rule;
    const own: ArgumentRule = { action, conditions: seenBy(abi, rule.conditions), pointer };
    const isEffective = action !== list.defaultAction;
    const isPlain = own.conditions.length === 0;
    for (const name of rule.names) {
      // What an object inherits (`constructor`) is never a number.
      const direct = numbers[name];
      if (typeof direct === 'number') {
        if (direct > newest) newest = direct;
        if (isEffective && isPlain) verdicts.decide(direct, action);
        else if (isEffective) addRule(verdicts, direct, own, name);
      }
      const multiplexed = carriers?.get(name);
      if (multiplexed === undefined) continue;
      if (multiplexed[0] > newest) newest = multiplexed[0];
      if (isEffective) addRule(verdicts, multiplexed[0], carried(rule, multiplexed[1]), name);
    }
  }
  return { verdicts, newest: newest < 0 ? undefined : newest };
}

/** The conditions without the half that a 32-bit ABI has not, and without those that always hold. */
function seenBy(abi: Abi, conditions: readonly Condition[]): readonly Condition[] {
  const seen = abi.wide ? conditions : conditions.map((one) => ({ ...one, high: 0, maskHigh: 0 }));
  return seen.filter((one) => one.maskHigh !== 0 || one.maskLow !== 0);
}

/** The rule for the multiplexer: as libseccomp, the first argument is the call, the others are compared as written. */
function carried(rule: Rule, call: number): ArgumentRule {
  const selector: Condition = {
    index: 0,
    operator: 'EQ',
    high: 0,
    low: call,
    maskHigh: 0,
    maskLow: 0xffffffff,
  };
  const rest = rule.conditions.filter(({ index }) => index !== 0);
  const conditions = [selector, ...rest.map((one) => ({ ...one, high: 0, maskHigh: 0 }))];
  return {
    action: rule.action,
    conditions: conditions.filter((one) => one.maskLow !== 0),
    pointer: rule.pointer,
  };
}

function addRule(map: Verdicts, nr: number, rule: ArgumentRule, name: string): void {
  const present = map.get(nr);
  if (typeof present === 'number') return;
  if (rule.conditions.length === 0) {
    map.decide(nr, rule.action);
  } else if (present === undefined) {
    map.set(nr, [rule]);
  } else if (!isRepeated(present, rule, name)) {
    const at = present.findIndex((other) => precedes(rule, other));
    present.splice(at < 0 ? present.length : at, 0, rule);
  }
}

function isRepeated(present: readonly ArgumentRule[], rule: ArgumentRule, name: string): boolean {
  for (const other of present) {
    if (!rule.conditions.every((one, at) => isSame(one, other.conditions[at]))) continue;
    if (other.action !== rule.action) {
      throw new CaissonError(
        `two seccomp rules for ${name} have the same conditions and different actions: remove one`,
        { code: 'EINVALIDSPEC', provenance: [other.pointer, rule.pointer] },
      );
    }
    if (other.conditions.length === rule.conditions.length) return true;
  }
  return false;
}

function isSame(a: Condition, b: Condition | undefined): boolean {
  return (
    b !== undefined &&
    a.index === b.index &&
    a.operator === b.operator &&
    a.high === b.high &&
    a.low === b.low &&
    a.maskHigh === b.maskHigh &&
    a.maskLow === b.maskLow
  );
}

const SPECIFICITY: Readonly<Record<Operator, number>> = {
  MASKED_EQ: 3,
  EQ: 3,
  NE: 3,
  LE: 2,
  LT: 2,
  GE: 1,
  GT: 1,
};

/**
 * Whether `a`, added after `b`, is tried before it. By the first condition in which they differ: greater
 * argument index, then equality before "less" before "greater", then the tighter bound or greater datum
 * (_db_chain_lt in src/db.c); else in the order of the profile. If one is the beginning of the other, the shorter.
 */
function precedes(a: ArgumentRule, b: ArgumentRule): boolean {
  for (const [at, one] of a.conditions.entries()) {
    const other = b.conditions[at];
    if (other === undefined) return false;
    if (isSame(one, other)) continue;
    if (one.index !== other.index) return one.index > other.index;
    const [mine, its] = [SPECIFICITY[one.operator], SPECIFICITY[other.operator]];
    if (mine !== its) return mine > its;
    const order = one.high - other.high || one.low - other.low;
    return mine === 2 ? order < 0 : order > 0;
  }
  return true;
}
