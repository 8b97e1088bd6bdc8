// The plan compiler: a pure function of (specification, facts about the host, options) to the steps of one start.
//
// The order below is the whole order of operations of caisson; verify.ts holds the reason for each constraint.

import type { Bytes } from '../linux/bytes.ts';
import { CLOSE_RANGE_CLOEXEC, F_SETFL, O_NONBLOCK, O_RDWR } from '../linux/constants/open.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from '../linux/constants/socket.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { call, number, type OutBuffer, outBuffer, pointer, type Slot, slot, struct } from './call.ts';
import {
  awaitCreated,
  beginCreation,
  openSignals,
  preserveDescriptors,
  startSocket,
  waitForStart,
} from './compile/barrier.ts';
import { type BecomeMonitor, type CompileOptions, Context } from './compile/context.ts';
import { receiveDescriptor, sendDescriptor } from './compile/descriptor.ts';
import { devices, terminal, terminalOwner } from './compile/devices.ts';
import {
  type Execution,
  execute,
  filterBeforeBarrier,
  labels,
  resetSignals,
  seccomp,
} from './compile/execute.ts';
import { type HooksPause, hooksPause, startHooksPause } from './compile/hooks.ts';
import { letGo } from './compile/let-go.ts';
import { masks, readonlyRoot } from './compile/masks.ts';
import { mounts, openIdMaps, openSharedSources } from './compile/mounts.ts';
import {
  enterNamespaces,
  type ForkSlots,
  fork,
  joinBeforeFork,
  loopback,
  openJoinedNamespaces,
  PAUSE_STARTED,
  timeNamespace,
} from './compile/namespaces.ts';
import { moveNetDevices, openNetDevices, takeNetDevices } from './compile/net-devices.ts';
import { connectAgent, type Notified, notified, notifies, reapNotifier } from './compile/notify.ts';
import * as process from './compile/process.ts';
import { openProcfsEarly, privateProcfs } from './compile/procfs.ts';
import { findProgram } from './compile/program.ts';
import { resctrlGroup } from './compile/resctrl.ts';
import { attachRoot, chrootOnly, isolateMounts, pivotRoot, rootPropagation } from './compile/root.ts';
import { scheduling } from './compile/scheduling.ts';
import { signalMask } from './compile/signal-mask.ts';
import { connectCalls } from './compile/sockets.ts';
import { openSourcesOutside } from './compile/sources.ts';
import type { HostFacts } from './facts.ts';
import type { Plan, Step } from './step.ts';
import * as sys from './syscalls.ts';
import { type Watch, waitCalls, watchFor } from './wait.ts';

/** A plan of one start, and where its answers are found. */
export interface StartPlan extends Plan {
  readonly pid: Slot;
  readonly pidfd: Slot;
  /** The master of the container's terminal, in the launcher. */
  readonly terminal: Slot | undefined;
  readonly execution: Execution;
  /** What the launcher watches once the container runs. */
  readonly watch: Watch;
  /** Of a container that waits for `start`: siginfo_t, all zero while it lives. */
  readonly created: OutBuffer | undefined;
  /** The child's own process id, where it pauses for hooks. */
  readonly hooks: HooksPause | undefined;
  /** Where the program was looked for, of a container that waits for `start`. */
  readonly program: readonly Slot[] | undefined;
  /** The channel's descriptor in the launcher. */
  readonly channel: number;
  /** The step after the program runs, where the launcher becomes a monitor; `of` is where a descriptor is by then. */
  readonly monitor?: (of: (slot: Slot) => Slot | number) => readonly Step[];
  /** The process that hands a listener of seccomp to its agent, where there is one. */
  readonly notifier: Notified | undefined;
}

/** A start whose first part is compiled; `finish` compiles the rest, perhaps while the first is played already. */
export interface Beginning {
  readonly context: Context;
  readonly forked: ForkSlots;
  readonly sockets: Sockets;
  /** Where the parent's part is complete: all of its steps, and the child's up to the loopback device. */
  readonly early: readonly Step[] | undefined;
  readonly parent: ParentPart | undefined;
}

interface Sockets {
  readonly terminal: { readonly parent: Slot | undefined; readonly child: Slot } | undefined;
  readonly pidfd: Slot | undefined;
  readonly listener: Slot | undefined;
  readonly monitor: BecomeMonitor | undefined;
}

type ParentPart = Pick<StartPlan, 'terminal' | 'watch' | 'created' | 'monitor'>;

/** Compiles a start. Throws CaissonError where the host or the configuration cannot have it. */
export function compile(spec: Spec, facts: HostFacts, options: CompileOptions): StartPlan {
  return finish(begin(spec, facts, options));
}

/**
 * Everything up to a child that is in its namespaces, and the parent's part to the end. With a user namespace the
 * parent helps with the mounts, and a trace is of one batch: then there is nothing that could be played early.
 */
export function begin(spec: Spec, facts: HostFacts, options: CompileOptions): Beginning {
  const c = new Context(spec, facts, options);
  const rdt = resctrlGroup(c);
  c.parent('launcher', 'close-on-exec everything, block signals', 'default: nothing leaks (CVE-2024-21626)', [
    sys.closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC),
    signalMask(-1n),
  ]);
  openJoinedNamespaces(c);
  openIdMaps(c);
  c.steps.push(...(options.root.before ?? []));
  openNetDevices(c);
  c.steps.push(...(options.cgroup?.create ?? []), ...rdt.create);
  const terminalSocket = terminalSockets(c);
  const pidfd = engineSocket(c, c.options.pidfdSocket, 'pidfd_socket');
  const monitor = options.monitor?.open(c);
  const sockets = { terminal: terminalSocket, pidfd, listener: startSocket(c), monitor };
  connectAgent(c);
  joinBeforeFork(c);
  beginCreation(c);
  const forked = fork(c);
  c.steps.push(...(options.root.after ?? []), ...(options.cgroup?.release ?? []), ...rdt.release);
  enterContainer(c, rdt.join);
  if (c.inUserNamespace || options.trace || notifies(c))
    return { context: c, forked, sockets, early: undefined, parent: undefined };
  const parent = parentAfterFork(c, forked, sockets);
  return { context: c, forked, sockets, early: [...c.steps], parent };
}

/** The rest of the start. Throws CaissonError where the host or the configuration cannot have it. */
export function finish({ context: c, forked, sockets, ...begun }: Beginning): StartPlan {
  const inside = becomeContainer(c, forked, sockets);
  const parent = begun.parent ?? parentAfterFork(c, forked, sockets);
  letGo(c, begun.early?.length ?? 0);
  const { pid, pidfd } = forked;
  const notifier = notified(c);
  return { steps: c.steps, pid, pidfd, ...parent, ...inside, channel: c.channel, notifier };
}

/** A socket of the engine that called, which gets a descriptor. */
export function engineSocket(c: Context, path: Bytes | undefined, name: string): Slot | undefined {
  if (path === undefined) return undefined;
  const socket = slot(name);
  c.parent(
    name.replace('_', '-'),
    `connect to ${path}`,
    `option: --${name.replace('_', '-')}`,
    connectCalls(path, socket),
  );
  return socket;
}

function sendPidfd(c: Context, socket: Slot, pidfd: Slot): void {
  c.parent('send-pidfd', 'send a pidfd of the container', 'option: --pidfd-socket', [
    ...sendDescriptor(socket, pidfd, 'pidfd'),
    sys.close(socket),
  ]);
}

/** Without a parent's end the terminal goes to the engine's own socket. */
export function terminalSockets(c: Context): { parent: Slot | undefined; child: Slot } | undefined {
  if (!c.spec.process?.terminal) return undefined;
  const engine = engineSocket(c, c.options.consoleSocket, 'console_socket');
  if (engine !== undefined) return { parent: undefined, child: engine };
  const parent = slot('terminal_parent', { width: 4 });
  const own = slot('terminal_child', { width: 4 });
  const pair = struct({ name: 'parent', width: 4, value: parent }, { name: 'child', width: 4, value: own });
  c.parent('terminal-socket', 'a socket for the terminal', '/process/terminal', [
    call('socketpair', [
      number(AF_UNIX, F.ADDRESS_FAMILIES),
      number(SOCK_STREAM | SOCK_CLOEXEC, F.SOCKET_TYPES),
      number(0),
      pointer(pair, 'fixed'),
    ]),
  ]);
  return { parent, child: own };
}

export function receiveTerminal(c: Context, sockets: { parent: Slot; child: Slot }): Slot {
  const received = slot('terminal_received', { width: 4 });
  const main = slot('terminal', { reply: true });
  c.parent('receive-terminal', 'receive the terminal', '/process/terminal', [
    // Only the child may hold the other end, or its death would never end the wait.
    sys.close(sockets.child),
    ...receiveDescriptor(sockets.parent, received),
    sys.check(received, 'GE', 0, ERRNO.EBADF, { result: main }),
    // Read until it is empty, and never waited for.
    sys.fcntl(main, F_SETFL, O_RDWR | O_NONBLOCK),
  ]);
  return main;
}

/** The first things that the child does: it joins its cgroups and enters its namespaces. */
function enterContainer(c: Context, joinGroup: readonly Step[]): void {
  process.oomScore(c);
  c.steps.push(...(c.options.cgroup?.join ?? []), ...joinGroup);
  enterNamespaces(c);
  process.session(c);
  c.child('umask', 'modes are as given', 'default: umask 0 while files are made', [sys.umask(0)]);
  loopback(c);
  takeNetDevices(c);
}

/** The rest of what the child does, in order. */
function becomeContainer(
  c: Context,
  forked: ForkSlots,
  sockets: Sockets,
): Pick<StartPlan, 'execution' | 'hooks' | 'program'> {
  const directory = c.isNew('mount') ? buildRoot(c, sockets.terminal?.child) : undefined;
  process.hostname(c);
  process.sysctls(c);
  timeNamespace(c, () => privateProcfs(c));
  const hooks = hooksPause(c);
  if (directory === undefined) chrootOnly(c);
  else pivotRoot(c);
  if (directory !== undefined) rootPropagation(c);
  labels(c);
  scheduling(c);
  const umask = c.spec.process?.user.umask ?? 0o022;
  c.child('umask', `umask ${umask.toString(8).padStart(4, '0')}`, '/process/user/umask', [sys.umask(umask)]);
  if (directory !== undefined) process.enterWorkingDirectory(c, directory);
  else process.changeDirectory(c);
  const signals = openSignals(c);
  process.rlimits(c);
  if (!c.spec.process?.noNewPrivileges) seccomp(c);
  process.identity(c);
  process.deathSignal(c, forked);
  process.noNewPrivileges(c);
  resetSignals(c);
  const program = findProgram(c);
  startHooksPause(c);
  if (c.spec.process?.noNewPrivileges && filterBeforeBarrier(c)) seccomp(c);
  waitForStart(c, forked, { listener: sockets.listener, signals });
  preserveDescriptors(c);
  return { execution: execute(c), hooks, program };
}

/** The root and all that is mounted in it; answers with the working directory's descriptor. */
function buildRoot(c: Context, terminalSocket: Slot | undefined): Slot {
  openSharedSources(c);
  isolateMounts(c);
  attachRoot(c);
  mounts(c);
  devices(c);
  terminal(c, terminalSocket);
  terminalOwner(c);
  const directory = process.resolveWorkingDirectory(c);
  // Hooks may write to a root that will be read-only, as in runc: drivers and library caches come that way.
  hooksPause(c);
  openProcfsEarly(c);
  masks(c);
  readonlyRoot(c);
  return directory;
}

/** What the launcher does beside the child: it helps, waits for the program or the barrier, and then for the end. */
function parentAfterFork(c: Context, forked: ForkSlots, sockets: Sockets): ParentPart {
  const { terminal: pair, pidfd, listener, monitor } = sockets;
  moveNetDevices(c, forked.pid);
  const terminal = pair?.parent && receiveTerminal(c, { parent: pair.parent, child: pair.child });
  openSourcesOutside(c, forked.pidfd);
  if (pidfd !== undefined) sendPidfd(c, pidfd, forked.pidfd);
  const watch = watchFor(terminal);
  if (listener !== undefined) return { terminal, watch, created: awaitCreated(c, forked, listener) };
  awaitExecution(c, forked);
  if (monitor === undefined) awaitEnd(c, forked, watch);
  return {
    terminal,
    watch,
    created: undefined,
    ...(monitor === undefined ? {} : { monitor: (of) => monitor(of, forked.pidfd, terminal) }),
  };
}

/** The launcher waits for the execve and says so. */
function awaitExecution(c: Context, { executed }: ForkSlots): void {
  const byte = outBuffer('executed_byte', 1, false);
  c.parent('executed', 'wait until the program has been executed', 'default: synchronisation', [
    sys.read(executed, byte),
    ...reapNotifier(c),
    sys.pause(PAUSE_STARTED),
  ]);
}

/** It then waits for the end or for the next batch. */
function awaitEnd(c: Context, { pidfd }: ForkSlots, watch: Watch): void {
  c.parent(
    'wait',
    'wait for the end of the container',
    'default: an attached run',
    waitCalls(pidfd, watch, c.channel),
  );
}
