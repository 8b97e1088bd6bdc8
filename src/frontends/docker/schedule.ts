// Flags of caisson's own for what the specification knows and docker does not: scheduler, I/O priority, affinity,
// memory policy, personality, offsets of a time namespace.

import type { Bytes } from '../../linux/bytes.ts';
import type {
  CPUAffinity,
  LinuxIOPriority,
  LinuxMemoryPolicy,
  LinuxPersonality,
  LinuxTimeOffset,
  LinuxTimeOffsets,
  MemoryPolicyFlagType,
  MemoryPolicyModeType,
  Scheduler,
} from '../../spec/runtime-spec.ts';
import { parseDuration, parseInteger } from '../number.ts';
import { invalidArgument } from './flag-error.ts';
import { numberListFlag } from './numbers.ts';

/** `other[:NICE]`, `batch[:NICE]`, `idle`, `fifo:PRIORITY`, `rr:PRIORITY`, `deadline:RUNTIME,DEADLINE,PERIOD`. */
export function parseScheduler(text: Bytes): Scheduler {
  const [name, argument] = split(text);
  switch (name) {
    case 'other':
    case 'batch': {
      const nice = argument === undefined ? undefined : parseInteger(argument, -20n, 19n);
      if (argument !== undefined && nice === undefined) break;
      const policy = name === 'other' ? 'SCHED_OTHER' : 'SCHED_BATCH';
      return nice === undefined ? { policy } : { policy, nice: Number(nice) };
    }
    case 'idle':
      if (argument !== undefined) break;
      return { policy: 'SCHED_IDLE' };
    case 'fifo':
    case 'rr': {
      const priority = argument === undefined ? undefined : parseInteger(argument, 1n, 99n);
      if (priority === undefined) break;
      return { policy: name === 'fifo' ? 'SCHED_FIFO' : 'SCHED_RR', priority: Number(priority) };
    }
    case 'deadline': {
      const times = (argument ?? '').split(',').map(parseDuration);
      const [runtime, deadline, period] = times.map((time) =>
        time === undefined ? undefined : time * 1_000_000,
      );
      if (times.length !== 3 || runtime === undefined || deadline === undefined || period === undefined)
        break;
      return { policy: 'SCHED_DEADLINE', runtime, deadline, period };
    }
    default:
  }
  throw invalidArgument(
    'scheduler',
    text,
    'the forms are other[:NICE], batch[:NICE], idle, fifo:1-99, rr:1-99, deadline:RUNTIME,DEADLINE,PERIOD',
  );
}

/** `best-effort:0-7`, `realtime:0-7`, `idle`. */
export function parseIoPriority(text: Bytes): LinuxIOPriority {
  const [name, argument] = split(text);
  const priority = argument === undefined ? 4 : parseInteger(argument, 0n, 7n);
  if (priority !== undefined) {
    if (name === 'best-effort') return { class: 'IOPRIO_CLASS_BE', priority: Number(priority) };
    if (name === 'realtime') return { class: 'IOPRIO_CLASS_RT', priority: Number(priority) };
    if (name === 'idle' && argument === undefined) return { class: 'IOPRIO_CLASS_IDLE', priority: 0 };
  }
  throw invalidArgument('ioprio', text, 'the forms are best-effort:0-7, realtime:0-7, idle');
}

/** `0-3,7`. */
export function parseAffinity(text: Bytes): CPUAffinity {
  numberListFlag('cpu-affinity', text, 'CPU affinity');
  return { initial: text, final: text };
}

const POLICIES: Readonly<Record<Bytes, MemoryPolicyModeType>> = {
  default: 'MPOL_DEFAULT',
  local: 'MPOL_LOCAL',
  bind: 'MPOL_BIND',
  interleave: 'MPOL_INTERLEAVE',
  'weighted-interleave': 'MPOL_WEIGHTED_INTERLEAVE',
  preferred: 'MPOL_PREFERRED',
  'preferred-many': 'MPOL_PREFERRED_MANY',
};
const POLICY_FLAGS: Readonly<Record<Bytes, MemoryPolicyFlagType>> = {
  balancing: 'MPOL_F_NUMA_BALANCING',
  relative: 'MPOL_F_RELATIVE_NODES',
  static: 'MPOL_F_STATIC_NODES',
};

/** `bind:0-1`, `interleave+static:0,1`, `local`. */
export function parseMemoryPolicy(text: Bytes): LinuxMemoryPolicy {
  const [words, nodes] = split(text);
  const [name, ...flagNames] = words.split('+');
  const mode = Object.hasOwn(POLICIES, name ?? '') ? POLICIES[name ?? ''] : undefined;
  const flags = flagNames.map((flag) => (Object.hasOwn(POLICY_FLAGS, flag) ? POLICY_FLAGS[flag] : undefined));
  if (mode === undefined || flags.includes(undefined)) {
    throw invalidArgument(
      'memory-policy',
      text,
      `the form is MODE[+FLAG][:NODES]; modes are ${Object.keys(POLICIES).join(', ')}; flags ${Object.keys(POLICY_FLAGS).join(', ')}`,
    );
  }
  const wantsNodes = mode !== 'MPOL_DEFAULT' && mode !== 'MPOL_LOCAL';
  if (wantsNodes !== (nodes !== undefined)) {
    throw invalidArgument(
      'memory-policy',
      text,
      wantsNodes ? `${name} needs nodes` : `${name} takes no nodes`,
    );
  }
  if (nodes !== undefined) numberListFlag('memory-policy', nodes, 'memory nodes');
  const policy: { -readonly [K in keyof LinuxMemoryPolicy]: LinuxMemoryPolicy[K] } = { mode };
  if (nodes !== undefined) policy.nodes = nodes;
  if (flags.length > 0) policy.flags = flags as MemoryPolicyFlagType[];
  return policy;
}

/** `linux`, `linux32`. */
export function parsePersonality(text: Bytes): LinuxPersonality {
  const domain = text.toUpperCase();
  if (domain === 'LINUX' || domain === 'LINUX32') return { domain };
  throw invalidArgument('personality', text, 'known are linux and linux32');
}

/** `monotonic=3600`, `boottime=-5.5` (seconds), several in one by commas. */
export function parseTimeOffsets(texts: readonly Bytes[]): LinuxTimeOffsets {
  const offsets: { -readonly [K in keyof LinuxTimeOffsets]: LinuxTimeOffsets[K] } = {};
  for (const text of texts) {
    for (const part of text.split(',')) {
      const match = /^(monotonic|boottime)=(-?)([0-9]{1,10})(?:\.([0-9]{1,9}))?$/.exec(part);
      if (match === null) {
        throw invalidArgument('timens-offset', text, 'the form is monotonic=SECONDS or boottime=SECONDS');
      }
      offsets[match[1] as 'monotonic' | 'boottime'] = timeOffset(
        match[2] === '-',
        match[3] ?? '0',
        match[4] ?? '',
      );
    }
  }
  return offsets;
}

/** Nanoseconds count forward from the seconds, also when those are negative (time_namespaces(7)). */
function timeOffset(negative: boolean, whole: Bytes, fraction: Bytes): LinuxTimeOffset {
  const nanosecs = Number(fraction.padEnd(9, '0'));
  if (!negative) return { secs: Number(whole), nanosecs };
  return nanosecs === 0
    ? { secs: whole === '0' ? 0 : -Number(whole), nanosecs: 0 }
    : { secs: -Number(whole) - 1, nanosecs: 1_000_000_000 - nanosecs };
}

function split(text: Bytes): [Bytes, Bytes | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}
