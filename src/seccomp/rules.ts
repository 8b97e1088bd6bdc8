// A profile, checked and flattened: rules with their conditions, split where runc splits them.

import { SECCOMP_RET_USER_NOTIF } from '../linux/constants/seccomp.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { Int64, LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from '../spec/runtime-spec.ts';
import { actionValue } from './actions.ts';

export type Operator = 'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ';

/** A comparison of one argument, its 64-bit datum and mask as unsigned 32-bit halves; the datum is masked. */
export interface Condition {
  readonly index: number;
  readonly operator: Operator;
  readonly high: number;
  readonly low: number;
  readonly maskHigh: number;
  readonly maskLow: number;
}

/** Calls of any of the names whose arguments meet every condition get `action`. */
export interface Rule {
  readonly names: readonly string[];
  /** A SECCOMP_RET_* value with its data. Where it is the default's, the rule does nothing, as in runc. */
  readonly action: number;
  /** In the order of their arguments. */
  readonly conditions: readonly Condition[];
  readonly pointer: Pointer;
}

/** A checked profile. */
export interface RuleList {
  readonly defaultAction: number;
  readonly rules: readonly Rule[];
  /** The names that the supervisor is asked about. */
  readonly notified: readonly string[];
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  SCMP_CMP_NE: 'NE',
  SCMP_CMP_LT: 'LT',
  SCMP_CMP_LE: 'LE',
  SCMP_CMP_EQ: 'EQ',
  SCMP_CMP_GE: 'GE',
  SCMP_CMP_GT: 'GT',
  SCMP_CMP_MASKED_EQ: 'MASKED_EQ',
};

const ALL_BITS = 0xffffffff;

/** The rules of a profile that stands at `pointer`. Throws CaissonError EINVALIDSPEC naming the field. */
export function ruleList(seccomp: LinuxSeccomp, pointer: Pointer): RuleList {
  const defaultAction = actionValue(seccomp.defaultAction, seccomp.defaultErrnoRet, {
    action: `${pointer}/defaultAction`,
    errnoRet: `${pointer}/defaultErrnoRet`,
  });
  if (defaultAction === SECCOMP_RET_USER_NOTIF) {
    // The container could not even hand over the descriptor of the listener.
    throw invalid('SCMP_ACT_NOTIFY cannot be the default action: name the calls', `${pointer}/defaultAction`);
  }
  const rules: Rule[] = [];
  const notified: string[] = [];
  for (const [at, syscall] of (seccomp.syscalls ?? []).entries()) {
    const here = `${pointer}/syscalls/${at}`;
    checkNames(syscall, here);
    const action = actionValue(syscall.action, syscall.errnoRet, {
      action: `${here}/action`,
      errnoRet: `${here}/errnoRet`,
    });
    if (action === SECCOMP_RET_USER_NOTIF) notified.push(...syscall.names);
    const alternatives = conditionSets(syscall.args ?? [], here);
    for (const conditions of alternatives)
      rules.push({ names: syscall.names, action, conditions, pointer: here });
  }
  return { defaultAction, rules, notified };
}

function checkNames(syscall: LinuxSyscall, pointer: Pointer): void {
  if (syscall.names.length === 0) throw invalid('a seccomp rule needs at least one name', `${pointer}/names`);
  const empty = syscall.names.indexOf('');
  if (empty >= 0) throw invalid('a system call name is empty', `${pointer}/names/${empty}`);
}

/**
 * Conditions are joined by "and", one per argument. Where an argument occurs twice, libseccomp has no such rule,
 * and runc and crun make every condition a rule of its own: joined by "or".
 */
function conditionSets(
  args: readonly LinuxSeccompArg[],
  pointer: Pointer,
): readonly (readonly Condition[])[] {
  if (args.length === 0) return [[]];
  const conditions = args.map((arg, at) => condition(arg, `${pointer}/args/${at}`));
  const indices = new Set(conditions.map(({ index }) => index));
  if (indices.size < conditions.length) return conditions.map((one) => [one]);
  return [conditions.sort((a, b) => a.index - b.index)];
}

function condition(arg: LinuxSeccompArg, pointer: Pointer): Condition {
  const operator = Object.hasOwn(OPERATORS, arg.op) ? OPERATORS[arg.op] : undefined;
  if (operator === undefined) {
    const known = Object.keys(OPERATORS).join(', ');
    throw invalid(`seccomp comparison "${arg.op}" is unknown: use one of ${known}`, `${pointer}/op`);
  }
  if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index > 5) {
    throw invalid(`system calls have arguments 0 to 5, not ${arg.index}`, `${pointer}/index`);
  }
  checkUnsigned64(arg.value, `${pointer}/value`);
  if (operator !== 'MASKED_EQ') {
    const [high, low] = [highHalf(arg.value), lowHalf(arg.value)];
    return { index: arg.index, operator, high, low, maskHigh: ALL_BITS, maskLow: ALL_BITS };
  }
  const datum = arg.valueTwo ?? 0;
  checkUnsigned64(datum, `${pointer}/valueTwo`);
  const [maskHigh, maskLow] = [highHalf(arg.value), lowHalf(arg.value)];
  const high = (highHalf(datum) & maskHigh) >>> 0;
  const low = (lowHalf(datum) & maskLow) >>> 0;
  return { index: arg.index, operator, high, low, maskHigh, maskLow };
}

function checkUnsigned64(value: Int64, pointer: Pointer): void {
  const fits = typeof value === 'bigint' ? value < 1n << 64n : Number.isInteger(value) && value < 2 ** 64;
  if (!fits || value < 0) {
    throw invalid(`${value} is not an unsigned 64-bit number: system call arguments have no sign`, pointer);
  }
}

/** Bits 32 to 63 of an unsigned 64-bit value. */
export function highHalf(value: Int64): number {
  return typeof value === 'bigint' ? Number((value >> 32n) & 0xffffffffn) : Math.floor(value / 2 ** 32);
}

/** Bits 0 to 31 of an unsigned 64-bit value. */
export function lowHalf(value: Int64): number {
  return typeof value === 'bigint' ? Number(value & 0xffffffffn) : value >>> 0;
}

function invalid(message: string, pointer: Pointer): CaissonError {
  return new CaissonError(message, { code: 'EINVALIDSPEC', provenance: [pointer] });
}
