// A seccomp profile compiled to the classic BPF program that seccomp(2) loads.
//
// Order of tests: the architecture first (its end lets the kernel's pass over foreign call numbers stop early),
// then a binary tree over intervals of call numbers, then arguments. An architecture that the profile does not
// cover is killed, as by libseccomp; it kills the thread, caisson the process, for a program that has lost one
// of its threads is in no state that anybody has tested. The same holds for x32 calls where x32 is not covered.

import type { Arch as NativeArch } from '../linux/abi/index.ts';
import * as bpf from '../linux/bpf.ts';
import { AUDIT_ARCH_X86_64, SECCOMP_RET_KILL_PROCESS, X32_SYSCALL_BIT } from '../linux/constants/seccomp.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxSeccomp } from '../spec/runtime-spec.ts';
import { isPermissive } from './actions.ts';
import { type Abi, coveredAbis } from './architectures.ts';
import { Assembler, OFFSET_ARCH, type Target } from './assembler.ts';
import { filterFlags } from './flags.ts';
import { type RuleList, ruleList } from './rules.ts';
import { type NumberRange, segments } from './segments.ts';
import { emitNumbers } from './tree.ts';
import { numberedCalls } from './verdicts.ts';

/** What seccomp(SECCOMP_SET_MODE_FILTER, flags, program) takes. */
export interface SeccompFilter {
  /** `struct sock_filter[]`, 8 bytes each. */
  readonly program: Uint8Array;
  readonly instructions: readonly bpf.CbpfInstruction[];
  /** SECCOMP_FILTER_FLAG_*, with NEW_LISTENER when a supervisor is asked. */
  readonly flags: number;
  /** Whether the call returns the descriptor of a listener. */
  readonly needsListener: boolean;
  /** The calls that wait for the supervisor: nothing between the load and the hand-over may use one. */
  readonly notified: readonly string[];
}

/** What calls of an architecture that the profile does not cover get. */
export const BAD_ARCHITECTURE = SECCOMP_RET_KILL_PROCESS;

/**
 * The filter of a profile (runtime-spec config-linux.md, Seccomp) on a kernel of architecture `native`.
 *
 * libseccomp's and runc's semantics; see `verdicts` for the precedence of rules. Unless the default action lets
 * calls through, numbers above every one that the profile names get ENOSYS instead of it, as in runc, so that
 * programs fall back when they meet a profile older than themselves.
 * Throws CaissonError EINVALIDSPEC naming the field below `pointer`, or the whole profile when it is too large.
 */
export function compileSeccomp(
  seccomp: LinuxSeccomp,
  native: NativeArch,
  pointer: Pointer = '/linux/seccomp',
): SeccompFilter {
  const list = ruleList(seccomp, pointer);
  const abis = coveredAbis(seccomp, native, pointer);
  const assembler = new Assembler();
  let next: Target = BAD_ARCHITECTURE;
  // From the last to the first, which is the native one.
  for (const audit of [...new Set(abis.map((abi) => abi.audit))].reverse()) {
    const ranges = numberRanges(list, abis, audit);
    const numbers = emitNumbers(assembler, segments(ranges), list.defaultAction);
    next = assembler.test({ offset: OFFSET_ARCH, jump: bpf.BPF_JEQ, value: audit }, numbers, next);
  }
  assembler.enter(next);
  if (assembler.length > bpf.BPF_MAXINSNS) {
    throw new CaissonError(
      `the seccomp profile needs ${assembler.length} instructions, the kernel takes ${bpf.BPF_MAXINSNS}: use fewer rules on arguments`,
      { code: 'EINVALIDSPEC', provenance: [`${pointer}/syscalls`] },
    );
  }
  const instructions = assembler.finish();
  const needsListener = list.notified.length > 0;
  return {
    program: bpf.encodeCbpf(instructions),
    instructions,
    flags: filterFlags(seccomp.flags, needsListener, pointer),
    needsListener,
    notified: list.notified,
  };
}

const LAST = 2 ** 32;

function numberRanges(list: RuleList, abis: readonly Abi[], audit: number): readonly NumberRange[] {
  const native = abis.find((abi) => abi.audit === audit && abi.name !== 'SCMP_ARCH_X32');
  const x32 = abis.find((abi) => abi.audit === audit && abi.name === 'SCMP_ARCH_X32');
  if (audit !== AUDIT_ARCH_X86_64) return native === undefined ? [] : [numberRange(list, native, 0, LAST)];
  const low =
    native === undefined ? uncovered(0, X32_SYSCALL_BIT) : numberRange(list, native, 0, X32_SYSCALL_BIT);
  if (x32 !== undefined) return [low, numberRange(list, x32, X32_SYSCALL_BIT, LAST)];
  // A tracer skips a call by making it number -1; libseccomp leaves that to the default action.
  const skipped = { ...uncovered(LAST - 1, LAST), otherwise: list.defaultAction };
  return [low, uncovered(X32_SYSCALL_BIT, LAST - 1), skipped];
}

function uncovered(from: number, to: number): NumberRange {
  return { from, to, verdicts: undefined, otherwise: BAD_ARCHITECTURE, newest: undefined };
}

function numberRange(list: RuleList, abi: Abi, from: number, to: number): NumberRange {
  const { verdicts, newest } = numberedCalls(list, abi, from);
  const otherwise = list.defaultAction;
  return { from, to, verdicts, otherwise, newest: isPermissive(otherwise) ? undefined : newest };
}
