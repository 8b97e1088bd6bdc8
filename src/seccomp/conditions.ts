// Rules on arguments as code: 64-bit comparisons out of 32-bit ones.

import * as bpf from '../linux/bpf.ts';
import { type Assembler, argumentOffset, type Target } from './assembler.ts';
import type { Condition } from './rules.ts';
import type { ArgumentRule } from './verdicts.ts';

/** Code that tries the rules in order and goes to `otherwise` when none matches. */
export function emitRules(assembler: Assembler, rules: readonly ArgumentRule[], otherwise: Target): Target {
  let next = otherwise;
  for (const rule of rules.toReversed()) {
    let matched: Target = rule.action;
    for (const condition of rule.conditions.toReversed()) {
      matched = emitCondition(assembler, condition, matched, next);
    }
    next = matched;
  }
  return next;
}

function emitCondition(assembler: Assembler, condition: Condition, yes: Target, no: Target): Target {
  switch (condition.operator) {
    case 'EQ':
    case 'MASKED_EQ':
      return emitEquality(assembler, condition, yes, no);
    case 'NE':
      return emitEquality(assembler, condition, no, yes);
    case 'GT':
      return emitGreater(assembler, condition, bpf.BPF_JGT, yes, no);
    case 'LE':
      return emitGreater(assembler, condition, bpf.BPF_JGT, no, yes);
    case 'GE':
      return emitGreater(assembler, condition, bpf.BPF_JGE, yes, no);
    case 'LT':
      return emitGreater(assembler, condition, bpf.BPF_JGE, no, yes);
  }
}

function emitEquality(assembler: Assembler, condition: Condition, yes: Target, no: Target): Target {
  const { index, high, low, maskHigh, maskLow } = condition;
  let equal = yes;
  if (maskLow !== 0) {
    const offset = argumentOffset(index, 'low');
    equal = assembler.test({ offset, mask: maskLow, jump: bpf.BPF_JEQ, value: low }, equal, no);
  }
  if (maskHigh !== 0) {
    const offset = argumentOffset(index, 'high');
    equal = assembler.test({ offset, mask: maskHigh, jump: bpf.BPF_JEQ, value: high }, equal, no);
  }
  return equal;
}

/** The halves decide in turn: a greater high half wins, an equal one leaves it to the low half. */
function emitGreater(
  assembler: Assembler,
  condition: Condition,
  jump: typeof bpf.BPF_JGT | typeof bpf.BPF_JGE,
  yes: Target,
  no: Target,
): Target {
  const { index, high, low, maskHigh } = condition;
  const lower = assembler.test({ offset: argumentOffset(index, 'low'), jump, value: low }, yes, no);
  if (maskHigh === 0) return lower;
  const offset = argumentOffset(index, 'high');
  // Not greater than 0 is equal to 0.
  const equal = high === 0 ? lower : assembler.test({ offset, jump: bpf.BPF_JEQ, value: high }, lower, no);
  return assembler.test({ offset, jump: bpf.BPF_JGT, value: high }, yes, equal);
}
