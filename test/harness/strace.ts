// Compares what strace saw of one process with the calls that a plan prints, line by line.
import { parseErrno } from '../../src/linux/errno.ts';
import type { Call, OutBuffer, Slot } from '../../src/plan/call.ts';
import { printCall } from '../../src/plan/print-call.ts';

/** Operations of the player itself, which make no system call. */
const SILENT: readonly string[] = ['CHECK', 'DEC', 'END'];

/** The values of slots as far as they are known, as strace prints them. */
export type Bindings = Map<Slot, string>;

/** Marks of what is not text in a printed call; no byte of a path is printed so. */
const SLOT = '\u{f0000}';
const ANY = '\u{f0001}';

/** One line of strace: the call, its result, and what follows. */
const LINE = /^(.*?)\)? *= (-?\d+|0x[0-9a-f]+|\?)(?: (E[A-Z0-9]+))?.*$/s;

/** Lines that are no calls: signals and the end of the process. */
const isCall = (line: string) => line !== '' && !/^(?:---|\+\+\+)/.test(line);

/** The channel's own reads and writes around a pause and at the end of a batch. */
const isChannel = (line: string) => /^(?:read|write)\(3, /.test(line);

function normalised(line: string): string {
  return line
    .replaceAll(' /* MS_??? */', '')
    .replace('SNDCTL_TMR_START or TCSETS', 'TCSETS')
    .replace(/pidfd=0x[0-9a-f]+, /, '');
}

export interface Compared {
  /** What does not agree; undefined when all does. */
  readonly difference: string | undefined;
  /** How many lines agreed. */
  readonly lines: number;
}

/**
 * Compares `calls` with the trace from its line `from`; stops where the process executes a program. Before the call
 * number `boundary` the process answers to its first batch and gets another.
 */
export function compareTrace(
  calls: readonly Call[],
  trace: readonly string[],
  from: number,
  bound: Bindings,
  boundary = -1,
): Compared {
  const lines = trace.slice(from).filter(isCall);
  let at = 0;
  for (const [index, call] of calls.entries()) {
    if (index === boundary) while (isChannel(lines[at] ?? '')) at++;
    if (call.name === 'PAUSE') {
      while (isChannel(lines[at] ?? '')) at++;
      continue;
    }
    if (SILENT.includes(call.name)) {
      copyResult(call, bound);
      continue;
    }
    // A retried call is there once more for each EINTR and EAGAIN.
    while (call.retry && / = -1 E(?:AGAIN|INTR) /.test(lines[at] ?? '')) at++;
    const line = normalised(lines[at++] ?? '(the trace has ended)');
    const difference = compareLine(call, line, bound);
    if (difference !== undefined) return { difference, lines: at - 1 };
    if (call.name.startsWith('execve') && line.endsWith(' = 0')) break;
  }
  return { difference: undefined, lines: at };
}

/** CHECK's result is its left side. */
function copyResult({ name, args, result }: Call, bound: Bindings): void {
  const [left] = args;
  if (name !== 'CHECK' || result === undefined || left === undefined) return;
  const value =
    left.kind === 'slot' ? bound.get(left) : left.kind === 'number' ? String(left.value) : undefined;
  if (value !== undefined) bound.set(result, value);
}

function compareLine(call: Call, line: string, bound: Bindings): string | undefined {
  const unknown: Slot[] = [];
  const slot = (each: Slot) => {
    const known = bound.get(each);
    if (known !== undefined) return known;
    unknown.push(each);
    return SLOT;
  };
  const out = (_: OutBuffer) => ANY;
  const { result: _result, tolerate: _tolerate, ...plain } = call;
  const printed = printCall(plain, { showSecrets: true, slot, out })
    // strace knows every flag of a terminal.
    .replace(/(TCSETS, )\{.*\}/s, `$1${ANY}`)
    // Flags of a received message are the kernel's.
    .replace(/^(recvmsg.*msg_flags=)0/s, `$1${ANY}`)
    .replace(/\{[^{}"]*\.\.\.\}/g, ANY)
    .replace(/\/\* \d+ (?:instructions|bytes) \*\//g, ANY);
  const pattern = printed
    .replace(/\)$/, '')
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(SLOT, '(-?\\d+)')
    .replaceAll(ANY, '.*');
  const [, text = line, number = '', errno] = LINE.exec(line) ?? [];
  const match = new RegExp(`^${pattern}$`, 's').exec(text);
  if (match === null)
    return `expected ${printed.replaceAll(SLOT, '<?>').replaceAll(ANY, '...')}\n   found ${line}`;
  unknown.forEach((each, index) => {
    const value = match[index + 1];
    if (value !== undefined) bound.set(each, value);
  });
  const failed = errno === undefined ? undefined : parseErrno(errno);
  if (failed !== undefined && !(call.tolerate ?? []).includes(failed)) return `not tolerated: ${line}`;
  if (call.result !== undefined) bound.set(call.result, failed === undefined ? number : String(-failed));
  return undefined;
}
