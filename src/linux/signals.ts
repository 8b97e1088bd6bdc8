// Signal names and numbers (signal(7)), the same on x86-64 and arm64.

/** Name to number, <asm-generic/signal.h>. */
export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

/** The name of a standard signal, `SIGTERM`. */
export type SignalName = keyof typeof SIGNALS;

/** The first real-time signal that glibc and musl leave to programs (they keep 32 and 33, signal(7)). */
export const SIGRTMIN = 34;
export const SIGRTMAX = 64;

/** Second names, signal(7). */
const ALIASES: Readonly<Record<string, SignalName | undefined>> = {
  SIGIOT: 'SIGABRT',
  SIGCLD: 'SIGCHLD',
  SIGPOLL: 'SIGIO',
  SIGUNUSED: 'SIGSYS',
};

let names: ReadonlyMap<number, SignalName> | undefined;

/** Number to name, made at first use: most runs print none. */
function nameOf(number: number): SignalName | undefined {
  names ??= new Map(
    (Object.entries(SIGNALS) as [SignalName, number][]).map(([name, value]) => [value, name]),
  );
  return names.get(number);
}

/**
 * The number (1..64) of a signal as a person or a configuration writes it: `TERM`, `SIGTERM`, `sigterm`, `15`,
 * `RTMIN+3`, `SIGRTMAX-1`. Undefined when there is no such signal.
 */
export function parseSignal(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) return inRange(Number(text));
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const known = ALIASES[name] ?? name;
  if (Object.hasOwn(SIGNALS, known)) return SIGNALS[known as SignalName];
  return parseRealTime(name);
}

function parseRealTime(name: string): number | undefined {
  const match = /^SIGRT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)$/.exec(name);
  if (match === null) return undefined;
  const number = name.startsWith('SIGRTMIN')
    ? SIGRTMIN + Number(match[1] ?? 0)
    : SIGRTMAX - Number(match[2] ?? 0);
  return number >= SIGRTMIN ? inRange(number) : undefined;
}

function inRange(number: number): number | undefined {
  return number >= 1 && number <= SIGRTMAX ? number : undefined;
}

/** The name of signal `number` as `kill -l` prints it (`SIGTERM`, `SIGRTMIN+3`, `SIGRTMAX-2`), else `signal 32`. */
export function signalName(number: number): string {
  const name = nameOf(number);
  if (name !== undefined) return name;
  if (number < SIGRTMIN || number > SIGRTMAX) return `signal ${number}`;
  if (number === SIGRTMIN) return 'SIGRTMIN';
  if (number === SIGRTMAX) return 'SIGRTMAX';
  return number < 50 ? `SIGRTMIN+${number - SIGRTMIN}` : `SIGRTMAX-${SIGRTMAX - number}`;
}
