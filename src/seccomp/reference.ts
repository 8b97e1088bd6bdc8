// What a profile means, worked out rule by rule with 64-bit arithmetic: the oracle that compiled filters must equal.
//
// It reads the profile itself and shares with the compiler the action values and the tables of architectures only.

import type { Arch as NativeArch } from '../linux/abi/index.ts';
import { AUDIT_ARCH_X86_64, SECCOMP_RET_KILL_PROCESS, X32_SYSCALL_BIT } from '../linux/constants/seccomp.ts';
import type { LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from '../spec/runtime-spec.ts';
import { actionValue, isPermissive, RET_ENOSYS } from './actions.ts';
import { type Abi, coveredAbis } from './architectures.ts';
import type { SeccompData } from './interpret.ts';

const SKIPPED_CALL = 0xffffffff;

/** The SECCOMP_RET_* value that the profile gives to a call, as compileSeccomp's filter does. Throws as it does. */
export function decide(seccomp: LinuxSeccomp, native: NativeArch, data: SeccompData): number {
  const nowhere = { action: '', errnoRet: '' };
  const defaultAction = actionValue(seccomp.defaultAction, seccomp.defaultErrnoRet, nowhere);
  const abi = abiOf(coveredAbis(seccomp, native, ''), data);
  if (abi === undefined) {
    const skipped = data.arch === AUDIT_ARCH_X86_64 && data.nr === SKIPPED_CALL;
    return skipped && coversX86(seccomp, native) ? defaultAction : SECCOMP_RET_KILL_PROCESS;
  }
  const syscalls = seccomp.syscalls ?? [];
  const newest = newestNumber(syscalls, abi);
  if (newest !== undefined && data.nr > newest && !isPermissive(defaultAction)) return RET_ENOSYS;
  const considered: Candidate[] = [];
  for (const syscall of syscalls) {
    const action = actionValue(syscall.action, syscall.errnoRet, nowhere);
    if (action !== defaultAction) considered.push(...candidates(syscall, action, abi, data.nr));
  }
  return bestMatch(considered, abi, data) ?? defaultAction;
}

function coversX86(seccomp: LinuxSeccomp, native: NativeArch): boolean {
  return coveredAbis(seccomp, native, '').some((abi) => abi.audit === AUDIT_ARCH_X86_64);
}

function abiOf(abis: readonly Abi[], data: SeccompData): Abi | undefined {
  const isX32 = data.arch === AUDIT_ARCH_X86_64 && data.nr >= X32_SYSCALL_BIT;
  return abis.find((abi) => abi.audit === data.arch && (abi.name === 'SCMP_ARCH_X32') === isX32);
}

function newestNumber(syscalls: readonly LinuxSyscall[], abi: Abi): number | undefined {
  const named = syscalls.flatMap((syscall) => syscall.names);
  const direct = named
    .filter((name) => Object.hasOwn(abi.numbers, name))
    .map((name) => abi.numbers[name] as number);
  const numbers = [...direct, ...named.flatMap((name) => abi.multiplexed?.get(name)?.[0] ?? [])];
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

interface Candidate {
  readonly action: number;
  readonly args: readonly LinuxSeccompArg[];
}

/** The alternatives of one entry of the profile for one number. */
function candidates(syscall: LinuxSyscall, action: number, abi: Abi, nr: number): Candidate[] {
  const args = [...(syscall.args ?? [])].sort((a, b) => a.index - b.index);
  const twice = new Set(args.map((arg) => arg.index)).size < args.length;
  const alternatives = twice ? (syscall.args ?? []).map((arg) => [arg]) : [args];
  const found: Candidate[] = [];
  for (const name of syscall.names) {
    const multiplexed = abi.multiplexed?.get(name);
    for (const one of alternatives) {
      if (multiplexed !== undefined && multiplexed[0] === nr) {
        const selector: LinuxSeccompArg = { index: 0, op: 'SCMP_CMP_EQ', value: multiplexed[1] };
        found.push({ action, args: [selector, ...one.filter((arg) => arg.index !== 0)] });
      }
      if (Object.hasOwn(abi.numbers, name) && abi.numbers[name] === nr) found.push({ action, args: one });
    }
  }
  return found.map((one) => ({ action, args: one.args.filter((arg) => !alwaysHolds(arg, abi)) }));
}

function alwaysHolds(arg: LinuxSeccompArg, abi: Abi): boolean {
  return arg.op === 'SCMP_CMP_MASKED_EQ' && seen(arg.value, abi) === 0n;
}

function seen(value: number | bigint, abi: Abi): bigint {
  return abi.wide ? BigInt(value) : BigInt(value) & 0xffffffffn;
}

function bestMatch(considered: readonly Candidate[], abi: Abi, data: SeccompData): number | undefined {
  const unconditional = considered.find((one) => one.args.length === 0);
  if (unconditional !== undefined) return unconditional.action;
  const ordered: Candidate[] = [];
  for (const one of considered) {
    let at = 0;
    while (at < ordered.length && !comesBefore(one, ordered[at] as Candidate, abi)) at++;
    ordered.splice(at, 0, one);
  }
  return ordered.find((one) => one.args.every((arg) => holds(arg, abi, data)))?.action;
}

function comesBefore(a: Candidate, b: Candidate, abi: Abi): boolean {
  for (const [at, mine] of a.args.entries()) {
    const its = b.args[at];
    if (its === undefined) return false;
    const [x, y] = [key(mine, abi), key(its, abi)];
    if (x.every((part, i) => part === y[i])) continue;
    if (mine.index !== its.index) return mine.index > its.index;
    if (x[2] !== y[2]) return x[2] > y[2];
    return x[2] === 2n ? x[3] < y[3] : x[3] > y[3];
  }
  return a.args.length < b.args.length;
}

/** Index, operator, rank of the operator, datum, mask. */
function key(arg: LinuxSeccompArg, abi: Abi): readonly [bigint, string, bigint, bigint, bigint] {
  const masked = arg.op === 'SCMP_CMP_MASKED_EQ';
  const mask = masked ? seen(arg.value, abi) : -1n;
  const datum = masked ? seen(arg.valueTwo ?? 0, abi) & mask : seen(arg.value, abi);
  const rank = arg.op === 'SCMP_CMP_LE' || arg.op === 'SCMP_CMP_LT' ? 2n : /G[ET]$/.test(arg.op) ? 1n : 3n;
  return [BigInt(arg.index), arg.op, rank, datum, mask];
}

function holds(arg: LinuxSeccompArg, abi: Abi, data: SeccompData): boolean {
  const actual = seen(data.args?.[arg.index] ?? 0, abi);
  const value = seen(arg.value, abi);
  switch (arg.op) {
    case 'SCMP_CMP_NE':
      return actual !== value;
    case 'SCMP_CMP_LT':
      return actual < value;
    case 'SCMP_CMP_LE':
      return actual <= value;
    case 'SCMP_CMP_EQ':
      return actual === value;
    case 'SCMP_CMP_GE':
      return actual >= value;
    case 'SCMP_CMP_GT':
      return actual > value;
    case 'SCMP_CMP_MASKED_EQ':
      return (actual & value) === (seen(arg.valueTwo ?? 0, abi) & value);
  }
}
