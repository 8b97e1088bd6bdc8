// The cgroup v2 device controller: an ordered list of device rules as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE).
//
// The kernel runs it at every open and mknod of a device with struct bpf_cgroup_dev_ctx; 1 allows, 0 denies.
// Meaning: each requested access (r, w, m) is decided by the last rule of the list that matches the device and
// names it; all of them must be allowed. So `c 1:3 r` and `c 1:3 w` together allow opening for reading and
// writing, a later rule opens holes in an earlier one and the other way round. cgroup v1 and runc, whose v2
// program imitates it, refuse a hole in a wildcard rule, and need one rule that names all accesses at once.

import * as bpf from '../linux/bpf.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';

/** What deviceProgram may be told. */
export interface DeviceProgramOptions {
  /** What holds for devices that no rule names; denied when absent. */
  readonly otherwise?: 'allow' | 'deny';
  /** The pointer of each rule, for messages; absent: its place in /linux/resources/devices. */
  readonly provenance?: readonly Pointer[];
}

/** A rule in the kernel's terms; an absent number is any. */
interface DeviceRule {
  readonly allow: boolean;
  /** BPF_DEVCG_DEV_*, undefined: both. */
  readonly type: number | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** BPF_DEVCG_ACC_* bits. */
  readonly access: number;
}

const TYPES: Readonly<Record<string, number | undefined>> = {
  a: undefined,
  b: bpf.BPF_DEVCG_DEV_BLOCK,
  c: bpf.BPF_DEVCG_DEV_CHAR,
};
const ACCESSES: Readonly<Record<string, number>> = {
  r: bpf.BPF_DEVCG_ACC_READ,
  w: bpf.BPF_DEVCG_ACC_WRITE,
  m: bpf.BPF_DEVCG_ACC_MKNOD,
};
const ALL_ACCESS = bpf.BPF_DEVCG_ACC_READ | bpf.BPF_DEVCG_ACC_WRITE | bpf.BPF_DEVCG_ACC_MKNOD;

// Registers: 0 is the result, 1 the context at entry.
const RESULT = 0;
const CONTEXT = 1;
const TYPE = 2;
/** The accesses that no rule has allowed yet. */
const PENDING = 3;
const MAJOR = 4;
const MINOR = 5;

/**
 * The verifier walks both ways of every jump and gives up after 8192 (BPF_COMPLEXITY_LIMIT_JMP_SEQ): measured on
 * 6.18, 512 rules load in 0.2 s and 1000 are refused with E2BIG.
 */
const MAX_RULES = 512;

/**
 * The instructions of the program of `rules` (runtime-spec config-linux.md, Allowed Device list); encodeEbpf
 * makes them the bytes that BPF_PROG_LOAD takes. Throws CaissonError EINVALIDSPEC naming the field.
 */
export function deviceProgram(
  rules: readonly LinuxDeviceCgroup[],
  options: DeviceProgramOptions = {},
): readonly bpf.EbpfInstruction[] {
  if (rules.length > MAX_RULES) {
    throw invalid(
      `${rules.length} device rules are more than ${MAX_RULES}: use wildcards`,
      '/linux/resources/devices',
    );
  }
  const checked = rules.map((rule, at) => {
    return deviceRule(rule, options.provenance?.[at] ?? `/linux/resources/devices/${at}`);
  });
  // What stands before a rule that matches everything is never reached.
  const last = checked.findLastIndex(matchesEverything);
  const base = last < 0 ? options.otherwise === 'allow' : (checked[last] as DeviceRule).allow;
  const instructions = [...PROLOGUE];
  for (const rule of checked.slice(last + 1).reverse()) instructions.push(...ruleCode(rule));
  instructions.push(...exitWith(base));
  return instructions;
}

function deviceRule(rule: LinuxDeviceCgroup, pointer: Pointer): DeviceRule {
  const type = rule.type ?? 'a';
  if (!Object.hasOwn(TYPES, type)) throw invalid(`device type "${type}" is not a, b or c`, `${pointer}/type`);
  const letters = rule.access ?? 'rwm';
  if (letters === '') throw invalid('device access is empty: name r, w or m', `${pointer}/access`);
  let access = 0;
  for (const letter of letters) {
    const bit = Object.hasOwn(ACCESSES, letter) ? ACCESSES[letter] : undefined;
    if (bit === undefined)
      throw invalid(`device access "${letters}" has letters other than r, w, m`, `${pointer}/access`);
    access |= bit;
  }
  return {
    allow: rule.allow,
    type: TYPES[type],
    major: deviceNumber(rule.major, `${pointer}/major`),
    minor: deviceNumber(rule.minor, `${pointer}/minor`),
    access,
  };
}

function deviceNumber(value: number | undefined, pointer: Pointer): number | undefined {
  if (value === undefined || value === -1) return undefined;
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw invalid(`device number ${value} is not an unsigned 32-bit number, nor -1 for any`, pointer);
  }
  return value;
}

function matchesEverything(rule: DeviceRule): boolean {
  const isAnyDevice = rule.type === undefined && rule.major === undefined && rule.minor === undefined;
  return isAnyDevice && rule.access === ALL_ACCESS;
}

// The verifier wants loads of whole words for major and minor (cgroup_dev_is_valid_access).
const PROLOGUE: readonly bpf.EbpfInstruction[] = [
  load(TYPE, 0),
  registers(bpf.BPF_ALU | bpf.BPF_MOV | bpf.BPF_X, PENDING, TYPE),
  immediate(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, TYPE, 0xffff),
  immediate(bpf.BPF_ALU | bpf.BPF_RSH | bpf.BPF_K, PENDING, 16),
  load(MAJOR, 4),
  load(MINOR, 8),
];

/** The last rule of the list is tried first: it decides the pending accesses that it names, if it matches. */
function ruleCode(rule: DeviceRule): readonly bpf.EbpfInstruction[] {
  const decision = rule.allow ? allowCode(rule.access) : denyCode(rule.access);
  const comparisons: readonly (readonly [register: number, value: number | undefined])[] = [
    [TYPE, rule.type],
    [MAJOR, rule.major],
    [MINOR, rule.minor],
  ];
  const code = [...decision];
  for (const [register, value] of comparisons.toReversed()) {
    if (value === undefined) continue;
    // Skips what is left of this rule.
    code.unshift(immediate(bpf.BPF_JMP32 | bpf.BPF_JNE | bpf.BPF_K, register, value, code.length));
  }
  return code;
}

function allowCode(access: number): readonly bpf.EbpfInstruction[] {
  const exit = exitWith(true);
  if (access === ALL_ACCESS) return exit;
  return [
    immediate(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, PENDING, ALL_ACCESS & ~access),
    immediate(bpf.BPF_JMP32 | bpf.BPF_JNE | bpf.BPF_K, PENDING, 0, exit.length),
    ...exit,
  ];
}

function denyCode(access: number): readonly bpf.EbpfInstruction[] {
  const exit = exitWith(false);
  if (access === ALL_ACCESS) return exit;
  return [
    immediate(bpf.BPF_JMP32 | bpf.BPF_JSET | bpf.BPF_K, PENDING, access, 1),
    immediate(bpf.BPF_JMP | bpf.BPF_JA, 0, 0, exit.length),
    ...exit,
  ];
}

function exitWith(allow: boolean): readonly bpf.EbpfInstruction[] {
  return [
    immediate(bpf.BPF_ALU | bpf.BPF_MOV | bpf.BPF_K, RESULT, allow ? 1 : 0),
    immediate(bpf.BPF_JMP | bpf.BPF_EXIT, 0, 0),
  ];
}

function load(dst: number, off: number): bpf.EbpfInstruction {
  return { code: bpf.BPF_LDX | bpf.BPF_MEM | bpf.BPF_W, dst, src: CONTEXT, off, imm: 0 };
}

function registers(code: number, dst: number, src: number): bpf.EbpfInstruction {
  return { code, dst, src, off: 0, imm: 0 };
}

function immediate(code: number, dst: number, imm: number, off = 0): bpf.EbpfInstruction {
  return { code, dst, src: 0, off, imm };
}

function invalid(message: string, pointer: Pointer): CaissonError {
  return new CaissonError(message, { code: 'EINVALIDSPEC', provenance: [pointer] });
}
