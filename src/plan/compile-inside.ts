// The plan of one more process of a sandbox, by a launcher that has joined the sandbox already (its agent).
//
//   once       joinSandbox: namespaces by one setns(2) on a pidfd, most cgroups, descriptors of the rest
//   each time  compileInside: pipes, clone, the child becomes the program; nothing is joined but what limits it
//
// The agent stays outside the PID namespace, so that no process of the sandbox sees or signals it; its children are
// born inside. It is not in the cgroups that limit memory and processes and that freeze: neither the OOM killer nor a
// pause stops it. A child that fails answers into the pipe that says when its program runs, and not into the channel:
// many can be started at once.
import { joinFile } from '../cgroups/join.ts';
import type { Cgroup } from '../cgroups/path.ts';
import {
  CLOSE_RANGE_CLOEXEC,
  F_ADD_SEALS,
  F_SETFL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from '../linux/constants/open.ts';
import { CLONE_INTO_CGROUP, CLONE_PIDFD, PR_SET_DUMPABLE } from '../linux/constants/process.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import type { LinuxNamespaceType, Process, Spec } from '../spec/runtime-spec.ts';
import {
  type Call,
  call,
  NULL,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  string,
  value,
} from './call.ts';
import { CHANNEL } from './channel.ts';
import type { Context } from './compile/context.ts';
import { stdioOwner } from './compile/exec-process.ts';
import { type Execution, execute, resetSignals, seccomp } from './compile/execute.ts';
import { CLONE_FLAG } from './compile/namespaces.ts';
import * as process from './compile/process.ts';
import { signalMask } from './compile/signal-mask.ts';
import { contextOf, type ExecOptions, inherited, workingDirectory } from './compile-exec.ts';
import type { HostFacts } from './facts.ts';
import { type Step, step } from './step.ts';
import * as sys from './syscalls.ts';

/** v1 hierarchies that the agent stays out of: its children join them one by one. */
const PER_CHILD = ['memory', 'pids', 'freezer'];

/** Descriptors of the agent by which its children get into the cgroups. */
export interface Doors {
  /** `tasks` files of v1. */
  readonly write: readonly number[];
  /** The directory of v2, for CLONE_INTO_CGROUP. */
  readonly into: number | undefined;
}

export interface JoinPlan {
  readonly steps: readonly Step[];
  readonly write: readonly Slot[];
  readonly into: Slot | undefined;
  /** The sandbox's own root directory. */
  readonly root: Slot;
}

const CAUSE = 'default: a sandbox has an agent';

/**
 * The steps of the agent, once. `init` is the first process of the sandbox, which its own launcher keeps from being
 * reaped; `types` are its namespaces that are not the caller's.
 */
export function joinSandbox(
  init: number,
  types: readonly LinuxNamespaceType[],
  cgroups: readonly Cgroup[],
  privileged: boolean,
): JoinPlan {
  const v2 = cgroups.filter(({ version }) => version === 2);
  const v1 = cgroups.filter(({ version }) => version === 1);
  const later = v1.filter(({ controllers }) => controllers.some((name) => PER_CHILD.includes(name)));
  const now = v1.filter((cgroup) => !later.includes(cgroup));
  const write = later.map(({ directory }) => slot(directory, { reply: true }));
  const into = v2[0] === undefined ? undefined : slot('cgroup', { reply: true });
  const root = slot('root', { reply: true });
  const calls: Call[] = [
    sys.closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC),
    signalMask(-1n),
    sys.prctl(PR_SET_DUMPABLE, 0),
    ...nullStdio(),
    ...now.flatMap(enter),
    ...later.map((cgroup, index) => openDoor(cgroup, write[index] as Slot)),
    ...(v2[0] === undefined || into === undefined
      ? []
      : [sys.openat(sys.AT_FDCWD, v2[0].directory, O_RDONLY | O_CLOEXEC, 0, { result: into })]),
    ...namespaceCalls(init, types, privileged),
    sys.openat(sys.AT_FDCWD, '/', O_RDONLY | O_CLOEXEC, 0, { result: root }),
  ];
  return { steps: [step('parent', 'join-sandbox', 'join the sandbox', CAUSE, calls)], write, into, root };
}

/** Nothing of the caller's is in reach of what the agent starts. */
function nullStdio(): Call[] {
  const file = slot('null');
  return [
    sys.openat(sys.AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0, { result: file }),
    ...[0, 1, 2].map((fd) => sys.dup3(file, fd, 0)),
    sys.close(file),
  ];
}

const doorPath = (cgroup: Cgroup) => `${cgroup.directory}/${joinFile(cgroup)}`;

const openDoor = (cgroup: Cgroup, result: Slot): Call =>
  sys.openat(sys.AT_FDCWD, doorPath(cgroup), O_WRONLY | O_CLOEXEC, 0, { result });

function enter(cgroup: Cgroup): Call[] {
  const file = slot(cgroup.directory);
  return [openDoor(cgroup, file), sys.write(file, '0'), sys.close(file)];
}

/** As exec joins a container (join-container.ts): root of the host joins the user namespace last. */
function namespaceCalls(init: number, types: readonly LinuxNamespaceType[], privileged: boolean): Call[] {
  if (types.length === 0) return [];
  const pidfd = slot('pidfd');
  const flags = (wanted: readonly LinuxNamespaceType[]) =>
    wanted.reduce((sum, type) => sum | CLONE_FLAG[type], 0);
  const user = types.includes('user');
  const first = privileged ? types.filter((type) => type !== 'user') : types;
  const zero = [number(0), number(0), number(0)];
  const unmapped = { tolerate: [ERRNO.EINVAL] };
  return [
    call('pidfd_open', [number(init), number(0)], { result: pidfd }),
    sys.setns(pidfd, flags(first)),
    ...(user && privileged ? [call('setgroups', [number(0), NULL]), sys.setns(pidfd, CLONE_FLAG.user)] : []),
    ...(user ? [call('setresgid', zero, unmapped), call('setresuid', zero, unmapped)] : []),
    sys.close(pidfd),
  ];
}

/** The most that a child that fails can say of itself. */
const COMPLAINT = 512;

/** A program that is about to run inside: what its batch brings. */
export interface InsidePlan {
  readonly steps: readonly Step[];
  readonly pid: Slot;
  readonly pidfd: Slot;
  /** The ends of its output that the agent reads, without waiting. */
  readonly stdout: Slot;
  readonly stderr: Slot;
  /** The other ends. They stay open, so that the end of the process alone ends a wait. */
  readonly kept: readonly [Slot, Slot];
  /** Bytes in `complaint`: 0 once the program runs, or an answer of the child. */
  readonly complained: Slot;
  readonly complaint: OutBuffer;
  readonly execution: Execution;
}

export interface InsideOptions extends Pick<ExecOptions, 'id' | 'mayCallSetgroups' | 'ownStdio'> {
  readonly doors: Doors;
  /** The program's standard input: a descriptor of the agent that has it, which is closed; undefined: /dev/null. */
  readonly input?: number | undefined;
  readonly namespaces: readonly LinuxNamespaceType[];
  /** Of the sandbox's first process. */
  readonly init: number;
}

/** One program. `spec` is the sandbox's configuration, `given` the process; what it leaves out is the sandbox's. */
export function compileInside(
  spec: Spec,
  given: Process,
  facts: HostFacts,
  options: InsideOptions,
): InsidePlan {
  const { doors, input, namespaces, init, ...rest } = options;
  const target = { init, pidfd: -1, namespaces, lock: -1 };
  const c = contextOf(spec, inherited(spec, given), facts, { ...rest, target });
  const out = pipeSlots('stdout');
  const err = pipeSlots('stderr');
  const run = pipeSlots('executed');
  const pid = slot('pid', { reply: true });
  const pidfd = slot('pidfd', { width: 4, reply: true });
  const clone =
    doors.into === undefined
      ? { flags: CLONE_PIDFD, pidfd }
      : { flags: CLONE_PIDFD + CLONE_INTO_CGROUP, pidfd, cgroup: doors.into };
  c.parent('fork', 'clone the process', 'default: the process', [
    ...[out, err, run].map(({ read, write }) => sys.pipe2(read, write, O_CLOEXEC)),
    ...[out, err].map(({ read }) => sys.fcntl(read, F_SETFL, O_NONBLOCK)),
    sys.fork(clone, { result: pid }),
    sys.close(run.write),
    ...(input === undefined ? [] : [sys.close(input)]),
  ]);
  const execution = child(c, doors, { input, out: out.write, err: err.write, answers: run.write });
  const complaint = outBuffer('complaint', COMPLAINT);
  const complained = slot('complained', { reply: true });
  c.parent('executed', 'wait until the program has been executed', 'default: synchronisation', [
    sys.read(run.read, complaint, { result: complained }),
    sys.close(run.read),
  ]);
  const streams = { stdout: out.read, stderr: err.read, kept: [out.write, err.write] as const };
  return { steps: c.steps, pid, pidfd, ...streams, complained, complaint, execution };
}

/** The ends of a pipe: 32-bit numbers. */
const pipeSlots = (name: string) => ({
  read: slot(name, { width: 4, reply: true }),
  write: slot(`${name}_end`, { width: 4, reply: true }),
});

interface Ends {
  readonly input: number | undefined;
  readonly out: Slot;
  readonly err: Slot;
  readonly answers: Slot;
}

/** The order is that of exec (compile-exec.ts). */
function child(c: Context, doors: Doors, { input, out, err, answers }: Ends): Execution {
  c.child('stdio', 'its own input and output; answers go to the pipe', 'default: synchronisation', [
    sys.dup3(answers, CHANNEL, O_CLOEXEC),
    ...(input === undefined ? [] : [sys.dup3(input, 0, 0)]),
    sys.dup3(out, 1, 0),
    sys.dup3(err, 2, 0),
  ]);
  c.child(
    'cgroup-join',
    'join the cgroups that limit it',
    'default: it runs in the cgroups of the sandbox',
    doors.write.map((file) => sys.write(file, '0')),
  );
  process.session(c);
  stdioOwner(c);
  const umask = c.spec.process?.user.umask ?? 0o022;
  c.child('umask', `umask ${umask.toString(8).padStart(4, '0')}`, '/process/user/umask', [sys.umask(umask)]);
  workingDirectory(c);
  process.rlimits(c);
  if (!c.spec.process?.noNewPrivileges) seccomp(c);
  process.identity(c);
  process.noNewPrivileges(c);
  resetSignals(c);
  return execute(c);
}

/** A memory file of the agent with what a program will read; written in pieces by `fillInput`. */
export function openInput(): { readonly steps: readonly Step[]; readonly file: Slot } {
  const file = slot('input', { reply: true });
  const calls = [
    call('memfd_create', [string('caisson-input'), number(MFD_CLOEXEC | MFD_ALLOW_SEALING, F.MEMFD_FLAGS)], {
      result: file,
    }),
  ];
  return { steps: [step('parent', 'input', 'a memory file for the input', CAUSE, calls)], file };
}

/** Grow, shrink, write and seal itself (fcntl(2)). */
const EVERY_SEAL = 0xf;

/** Adds a piece to it; after the last it is sealed and at its beginning. */
export function fillInput(file: number, piece: Uint8Array, last: boolean): Step {
  const calls: Call[] = [
    call('write', [number(file), pointer({ kind: 'buffer', bytes: piece }, 2), number(piece.length)]),
    ...(last ? [sys.lseek(file, 0, 0), sys.fcntl(file, F_ADD_SEALS, EVERY_SEAL)] : []),
  ];
  return step('parent', 'input', `write ${piece.length} bytes of input`, CAUSE, calls);
}

/** A process inside that kills every other one but the first, and waits for nobody. */
export function killInside(): Step[] {
  const pid = slot('killer');
  const pidfd = slot('killer_pidfd', { width: 4 });
  return [
    step('parent', 'kill', 'clone a process that kills', CAUSE, [
      sys.fork({ flags: CLONE_PIDFD, pidfd }, { result: pid }),
      call('wait4', [value(pid), NULL, number(0), NULL]),
    ]),
    step('child', 'kill-all', 'kill all but the first process', CAUSE, [
      call('kill', [number(-1), number(9, F.SIGNALS)], { tolerate: [ERRNO.ESRCH] }),
      sys.exitGroup(0),
    ]),
    step('parent', 'killed', 'forget it', CAUSE, [sys.close(pidfd)]),
  ];
}
