// A container that outlives its command: its output goes through pipes, and the launcher becomes its monitor.
//
// The monitor (launcher/monitor.c, docs/monitor.md) stays the parent of the container's first process, because the
// launcher executes it: process id and children are as before. What it needs lies at fixed descriptors.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_SETFD,
  F_SETFL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
} from '../../linux/constants/open.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, number, pointer, type Slot, slot, string, value } from '../call.ts';
import { encodeMonitor, type MonitorConfiguration } from '../monitor-configuration.ts';
import { MONITOR } from '../monitor-wire.ts';
import { type Step, step } from '../step.ts';
import * as sys from '../syscalls.ts';
import type { Context, MonitorPart } from './context.ts';
import { O_DIRECTORY } from './destination.ts';
import { bindCalls } from './sockets.ts';

/** What a caller of the compiler decides of a monitor. */
export interface MonitorOptions extends MonitorConfiguration {
  /** The bytes of the static program. */
  readonly program: Bytes;
  /** The directory of the container, for exit record and logs. */
  readonly place: Bytes;
  /** Where clients connect. */
  readonly socket: Bytes;
  /** Standard input stays open for clients; /dev/null otherwise. */
  readonly input: boolean;
  /** The command stays attached, with these of its standard descriptors. */
  readonly attached?: readonly (0 | 1 | 2)[];
}

const MONITORED = 'default: a container that outlives its command has a monitor';
/** Above the fixed descriptors, below the limit of callers that have a low one. */
const ASIDE = 40;

/** What waits in the launcher until it becomes the monitor. */
interface MonitorSlots {
  readonly options: MonitorOptions;
  readonly place: Slot;
  readonly listener: Slot;
  /** The launcher's ends of the pipes; the terminal has none. */
  readonly output?: Slot;
  readonly error?: Slot;
  readonly input?: Slot;
  /** Descriptors of the command, kept under other numbers. */
  readonly kept: readonly { readonly fd: 0 | 1 | 2; readonly aside: Slot }[];
}

/** A monitor as a part of a plan. */
export function monitorPart(options: MonitorOptions): MonitorPart {
  return {
    open: (c) => {
      const slots = openMonitor(c, options);
      return (of, pidfd, terminal) => [becomeMonitor(slots, of, pidfd, terminal)];
    },
  };
}

/** Before the fork: pipes become the launcher's own standard descriptors, which the child inherits. */
function openMonitor(c: Context, options: MonitorOptions): MonitorSlots {
  const place = slot('place', { reply: true });
  const bound = slot('attach_socket_bound');
  const listener = slot('attach_socket', { reply: true });
  const terminal = c.spec.process?.terminal === true;
  const kept = (options.attached ?? []).map((fd) => ({ fd, aside: slot(`kept_${fd}`, { reply: true }) }));
  c.parent('monitor-place', `open ${options.place} and a socket for clients`, MONITORED, [
    call('setsid', [], { tolerate: [1] }),
    ...kept.map(({ fd, aside }) => sys.fcntl(fd, F_DUPFD_CLOEXEC, ASIDE, { result: aside })),
    ...aside(place, (opened) =>
      sys.openat(sys.AT_FDCWD, options.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: opened }),
    ),
    ...bindCalls(options.socket, bound),
    sys.fcntl(bound, F_DUPFD_CLOEXEC, ASIDE, { result: listener }),
    sys.close(bound),
    call('listen', [value(listener), number(BACKLOG)]),
  ]);
  const slots = { options, place, listener, kept };
  return terminal ? slots : { ...slots, ...pipes(c, options) };
}

const BACKLOG = 16;

/** Opens something and moves it out of the way of the fixed numbers. */
function aside(to: Slot, open: (opened: Slot) => Call): Call[] {
  const opened = slot(`${to.name}_opened`);
  return [open(opened), sys.fcntl(opened, F_DUPFD_CLOEXEC, ASIDE, { result: to }), sys.close(opened)];
}

function pipes(c: Context, options: MonitorOptions): Pick<MonitorSlots, 'output' | 'error' | 'input'> {
  const output = slot('output', { reply: true });
  const error = slot('error', { reply: true });
  const input = options.input ? slot('input', { reply: true }) : undefined;
  c.parent('monitor-pipes', 'pipes for what the program reads and writes', MONITORED, [
    ...(input === undefined ? devNull([0]) : pipe(input, 'input', 0)),
    ...pipe(output, 'output', 1),
    ...pipe(error, 'error', 2),
  ]);
  return { output, error, ...(input === undefined ? {} : { input }) };
}

/** One end is kept in the launcher, and never waited for; the other becomes the standard descriptor `fd`. */
function pipe(kept: Slot, name: string, fd: 0 | 1 | 2): Call[] {
  const readEnd = slot(`${name}_read`, { width: 4 });
  const writeEnd = slot(`${name}_write`, { width: 4 });
  const [own, other] = fd === 0 ? [writeEnd, readEnd] : [readEnd, writeEnd];
  return [
    sys.pipe2(readEnd, writeEnd, O_CLOEXEC),
    sys.fcntl(own, F_DUPFD_CLOEXEC, ASIDE, { result: kept }),
    sys.fcntl(kept, F_SETFL, O_NONBLOCK),
    sys.dup3(other, fd, 0),
    sys.close(readEnd),
    sys.close(writeEnd),
  ];
}

/** /dev/null at standard descriptors. */
function devNull(fds: readonly number[]): Call[] {
  const opened = slot('null');
  return [
    sys.openat(sys.AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0, { result: opened }),
    ...fds.map((fd) => sys.dup3(opened, fd, 0)),
    sys.close(opened),
  ];
}

/** A memory file with some bytes, out of the way. */
function memory(
  name: string,
  bytes: Bytes,
  program: boolean,
): { readonly file: Slot; readonly calls: Call[] } {
  const opened = slot(`${name}_opened`);
  const file = slot(`${name}_file`);
  const flags = program ? MFD_CLOEXEC | MFD_ALLOW_SEALING : MFD_CLOEXEC;
  const content = pointer({ kind: 'buffer', bytes, text: `/* ${bytes.length} bytes */` }, 2);
  return {
    file,
    calls: [
      call('memfd_create', [string(`caisson-${name}`), number(flags, F.MEMFD_FLAGS)], { result: opened }),
      sys.fcntl(opened, F_DUPFD_CLOEXEC, ASIDE, { result: file }),
      sys.close(opened),
      call('write', [value(file), content, number(bytes.length)]),
      program ? sys.fcntl(file, F_ADD_SEALS, SEALS) : sys.lseek(file, 0, SEEK_SET),
    ],
  };
}

const SEALS = 0xf;
const SEEK_SET = 0;

/** What `ps` of the host shows. */
const NAME = 'caisson-monitor';

/** After the program has been executed: everything to its place, and the launcher is the monitor. */
function becomeMonitor(
  slots: MonitorSlots,
  of: (slot: Slot) => Slot | number,
  pidfd: Slot,
  terminal: Slot | undefined,
): Step {
  const { options, kept, place, listener } = slots;
  const stays = options.attached !== undefined;
  const program = memory('monitor', options.program, true);
  const configuration = memory(
    'configuration',
    encodeMonitor(options, {
      terminal: terminal !== undefined,
      input: terminal !== undefined || options.input,
      attached: kept.reduce((bits, { fd }) => bits | (2 << fd), stays ? 1 : 0),
    }),
    false,
  );
  const process = slot('pidfd_aside');
  const main = slot('terminal_aside');
  const stream = (own: Slot | undefined) => (own === undefined ? undefined : of(own));
  const output = stream(slots.output) ?? main;
  const error = stream(slots.error);
  const input = stream(slots.input) ?? (terminal === undefined ? undefined : main);
  return step('parent', 'monitor', 'become the monitor of the container', MONITORED, [
    ...program.calls,
    ...configuration.calls,
    // The numbers of these may be among the fixed ones.
    sys.fcntl(of(pidfd), F_DUPFD_CLOEXEC, ASIDE, { result: process }),
    ...(terminal === undefined ? [] : [sys.fcntl(of(terminal), F_DUPFD_CLOEXEC, ASIDE, { result: main })]),
    ...(stays ? [sys.fcntl(MONITOR.FD_CLIENT, F_SETFD, 0)] : []),
    ...kept.map(({ fd, aside: from }) => sys.dup3(of(from), MONITOR.FD_CLIENT + 1 + fd, 0)),
    sys.dup3(configuration.file, MONITOR.FD_CONFIG, 0),
    sys.dup3(of(place), MONITOR.FD_PLACE, 0),
    sys.dup3(of(listener), MONITOR.FD_ATTACH, 0),
    sys.dup3(process, MONITOR.FD_PIDFD, 0),
    sys.dup3(output, MONITOR.FD_OUTPUT, 0),
    ...(error === undefined ? [] : [sys.dup3(error, MONITOR.FD_ERROR, 0)]),
    ...(input === undefined ? [] : [sys.dup3(input, MONITOR.FD_INPUT, 0)]),
    ...devNull([0, 1, 2]),
    call('execveat', [
      value(program.file),
      string(''),
      pointer({ kind: 'pointers', items: [{ kind: 'string', bytes: NAME }] }, 'fixed'),
      pointer({ kind: 'pointers', items: [] }, 'fixed'),
      number(AT_EMPTY_PATH, F.AT_FLAGS),
    ]),
  ]);
}
