// Resource limit names and numbers (getrlimit(2)).

/** Name to number, <asm-generic/resource.h>, ordered by number; the same on x86-64 and arm64. */
export const RLIMITS = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;

/** A resource limit as the kernel and the runtime specification spell it, `RLIMIT_NOFILE`. */
export type RlimitName = keyof typeof RLIMITS;

/** No limit, for prlimit64(2). */
export const RLIM_INFINITY = 2n ** 64n - 1n;

const NAMES = Object.keys(RLIMITS) as readonly RlimitName[];

/** The number of the limit with exactly this name, undefined when there is none. */
export function rlimitNumber(name: string): number | undefined {
  return Object.hasOwn(RLIMITS, name) ? RLIMITS[name as RlimitName] : undefined;
}

/** The name of limit `number`, undefined when there is none. */
export function rlimitName(number: number): RlimitName | undefined {
  return NAMES[number];
}

/** The limit that `text` names as `--ulimit` does (`nofile`), or in full, in any case; undefined when there is none. */
export function parseRlimit(text: string): RlimitName | undefined {
  const upper = text.toUpperCase();
  const name = upper.startsWith('RLIMIT_') ? upper : `RLIMIT_${upper}`;
  return Object.hasOwn(RLIMITS, name) ? (name as RlimitName) : undefined;
}
