// The event loop of the QuickJS host: descriptors, timers and signals by ppoll(2) and signalfd(2).
import { O_CLOEXEC } from '../linux/constants/open.ts';
import { CLOCK_MONOTONIC, POLLIN } from '../linux/constants/poll.ts';
import { ERRNO } from '../linux/errno.ts';
import { call, callAgain, osError } from './quickjs-native.ts';

const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;
/** sizeof(sigset_t) of the kernel. */
const SIGSET = 8;
/** struct signalfd_siginfo; its first word is the signal. */
const SIGNAL_INFO = 128;

interface Watch {
  readonly fd: number;
  readonly events: number;
  readonly handler: () => void;
  active: boolean;
}

interface Timer {
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly due: number;
  readonly handler: () => void;
  active: boolean;
}

let watches: Watch[] = [];
let timers: Timer[] = [];

/** Calls `handler` each time that `events` of poll(2), an error or the end are there; the result ends that. */
export function watch(fd: number, events: number, handler: () => void): () => void {
  const entry = { fd, events, handler, active: true };
  watches.push(entry);
  return () => {
    entry.active = false;
    watches = watches.filter((other) => other !== entry);
  };
}

/** Nanoseconds of CLOCK_MONOTONIC. */
export function monotonic(): number {
  const time = new Int32Array(4);
  call('clock_gettime', CLOCK_MONOTONIC, time);
  return ((time[0] ?? 0) >>> 0) * 1e9 + (time[2] ?? 0);
}

/** Calls `handler` once after so many milliseconds; the result prevents that. */
export function after(milliseconds: number, handler: () => void): () => void {
  const timer = { due: monotonic() + milliseconds * 1e6, handler, active: true };
  timers.push(timer);
  timers.sort((a, b) => a.due - b.due);
  return () => {
    timer.active = false;
    timers = timers.filter((other) => other !== timer);
  };
}

/** struct timespec of what is left until the next timer, null without one. */
function patience(): Int32Array | null {
  const next = timers[0];
  if (next === undefined) return null;
  const left = Math.max(0, next.due - monotonic());
  return new Int32Array([Math.floor(left / 1e9), 0, left % 1e9, 0]);
}

/** Waits for something to happen and calls its handlers. Throws Error when nothing ever could. */
export function wait(): void {
  const current = watches;
  if (current.length === 0 && timers.length === 0) throw new Error('there is nothing to wait for');
  const polled = new Int32Array(2 * current.length);
  current.forEach(({ fd, events }, index) => {
    polled[2 * index] = fd;
    polled[2 * index + 1] = events;
  });
  const ready = call('ppoll', polled, current.length, patience(), null, SIGSET);
  if (ready < 0 && ready !== -ERRNO.EINTR) throw osError(ready, 'ppoll', String(current.length));
  if (ready > 0) {
    current.forEach((entry, index) => {
      if ((polled[2 * index + 1] ?? 0) >>> 16 !== 0 && entry.active) entry.handler();
    });
  }
  while (timers[0] !== undefined && timers[0].due <= monotonic()) {
    const timer = timers.shift();
    if (timer?.active) timer.handler();
  }
}

const listeners: { readonly signal: number; readonly handler: (signal: number) => void }[] = [];
let signalFile = -1;
let endWatch: (() => void) | undefined;

/** A sigset_t. */
function maskOf(signals: readonly number[]): Int32Array {
  const mask = new Int32Array(2);
  for (const signal of signals) {
    const word = (signal - 1) >> 5;
    mask[word] = (mask[word] ?? 0) | (1 << ((signal - 1) & 31));
  }
  return mask;
}

/** The mask that this process was started with. */
let inherited: Int32Array | undefined;

/** Signals wait for somebody to read them, or for the end of the process. */
export function block(signals: readonly number[]): void {
  const before = new Int32Array(2);
  call('rt_sigprocmask', SIG_BLOCK, maskOf(signals), before, SIGSET);
  inherited ??= before;
}

/** As it was at the start, for a program that takes this one's place. */
export function unblockAll(): void {
  if (inherited !== undefined) call('rt_sigprocmask', SIG_SETMASK, inherited, null, SIGSET);
}

/** The signals that somebody listens for come out of one descriptor. */
function updateFile(): void {
  const heard = listeners.map(({ signal }) => signal);
  signalFile = call('signalfd4', signalFile, maskOf(heard), SIGSET, O_CLOEXEC);
  if (signalFile < 0) throw osError(signalFile, 'signalfd4', heard.join(' '));
  if (heard.length > 0) endWatch ??= watch(signalFile, POLLIN, readSignal);
  else endWatch = void endWatch?.();
}

function readSignal(): void {
  const info = new Int32Array(SIGNAL_INFO / 4);
  if (callAgain('read', signalFile, info, SIGNAL_INFO) !== SIGNAL_INFO) return;
  const signal = info[0] ?? 0;
  for (const listener of [...listeners]) if (listener.signal === signal) listener.handler(signal);
}

/** Signals of this process: port.ts. */
export function onSignals(signals: readonly number[], handler: (signal: number) => void): () => void {
  block(signals);
  const added = signals.map((signal) => ({ signal, handler }));
  listeners.push(...added);
  updateFile();
  return () => {
    for (const listener of added.splice(0)) listeners.splice(listeners.indexOf(listener), 1);
    updateFile();
    const unheard = signals.filter((signal) => listeners.every((other) => other.signal !== signal));
    call('rt_sigprocmask', SIG_UNBLOCK, maskOf(unheard), null, SIGSET);
  };
}
