// Hooks: the pause in which they run, and the plan of one hook's process in a launcher of its own.
//
// config.md POSIX-platform Hooks, runtime.md Lifecycle. Environment, arguments and directory are explicit and come from
// the configuration alone (CVE-2025-23266, T24 of security.md).
import type { Bytes } from '../../linux/bytes.ts';
import {
  F_ADD_SEALS,
  F_SETFL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from '../../linux/constants/open.ts';
import {
  CLONE_INTO_CGROUP,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_PIDFD,
  PR_SET_DUMPABLE,
} from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import type { Hooks, LinuxNamespaceType, Spec } from '../../spec/runtime-spec.ts';
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
  struct,
} from '../call.ts';
import type { Plan, Step } from '../step.ts';
import { step } from '../step.ts';
import * as sys from '../syscalls.ts';
import type { CgroupPlan, Context } from './context.ts';
import { O_DIRECTORY } from './destination.ts';
import { labels, seccompUnwatched } from './execute.ts';
import { CLONE_FLAG } from './namespaces.ts';
import * as process from './process.ts';
import { signalMask } from './signal-mask.ts';

/** The pause of the child in which TypeScript runs prestart, createRuntime and createContainer. */
export const PAUSE_HOOKS = 4;

/** The pause of a child without a barrier in which TypeScript runs startContainer. */
export const PAUSE_START_HOOKS = 8;

/** Hooks of the create operation, all of which run before the change of root. */
export const CREATE_HOOKS = ['prestart', 'createRuntime', 'createContainer'] as const;

/** Which configured lists of `kinds` are not empty, as pointers. */
export function hookPointers(spec: Spec, kinds: readonly (keyof Hooks)[]): string[] {
  return kinds.filter((kind) => (spec.hooks?.[kind]?.length ?? 0) > 0).map((kind) => `/hooks/${kind}`);
}

/** /proc/self has at most 10 digits. */
const PID_ROOM = 16;

/** The child's own number in the procfs of the host, as text, NULs behind it: what the hooks are told. */
export interface HooksPause {
  readonly pid: OutBuffer;
}

const paused = new WeakMap<Context, HooksPause>();

/** setns(2) by pidfd is ptrace_may_access: an unprivileged caller may join its own child only while that is dumpable. */
function dumpable(c: Context, on: 0 | 1): Call[] {
  const rootless = c.isNew('user') && !c.facts.privileged;
  // A filter that is loaded already may refuse it.
  return rootless ? [sys.prctl(PR_SET_DUMPABLE, on, { tolerate: [ERRNO.EPERM, ERRNO.ENOSYS] })] : [];
}

/**
 * Where the create hooks run, once: everything is mounted, the root of the host is still there. Undefined without hooks
 * that run before the program does.
 */
export function hooksPause(c: Context): HooksPause | undefined {
  const causes = hookPointers(c.spec, CREATE_HOOKS);
  const later = c.options.barrier === undefined ? hookPointers(c.spec, ['startContainer']) : [];
  const known = paused.get(c);
  if (known !== undefined || causes.length + later.length === 0) return known;
  const pid = outBuffer('own_pid', PID_ROOM);
  c.child(
    'own-pid',
    'learn the own process id',
    [...causes, ...later],
    [
      call('readlinkat', [
        number(sys.AT_FDCWD, F.DIRFD),
        string('/proc/self'),
        pointer({ kind: 'out', buffer: pid }, 3),
        number(PID_ROOM),
      ]),
    ],
  );
  if (causes.length > 0) {
    c.child('hooks', `run the hooks ${causes.map((cause) => cause.slice(7)).join(', ')}`, causes, [
      ...dumpable(c, 1),
      sys.pause(PAUSE_HOOKS),
      ...dumpable(c, 0),
    ]);
  }
  const made = { pid };
  paused.set(c, made);
  return made;
}

/** Where startContainer hooks run: in a container that is complete. A barrier is such a pause already. */
export function startHooksPause(c: Context): void {
  const causes = hookPointers(c.spec, ['startContainer']);
  if (causes.length === 0) return;
  const pause = c.options.barrier === undefined ? [sys.pause(PAUSE_START_HOOKS)] : [];
  // Execve makes it as dumpable as the program is to be.
  c.child('start-hooks', 'run the hooks startContainer', causes, [...dumpable(c, 1), ...pause]);
}

/** One hook's process. */
export interface HookProgram {
  readonly title: string;
  readonly cause: string;
  readonly path: Bytes;
  /** argv, argv[0] included. */
  readonly args: readonly Bytes[];
  readonly env: readonly Bytes[];
  /** A path, looked up where the hook runs, or a descriptor of the launcher. */
  readonly cwd: Bytes | number;
  /** The container's state as JSON, its standard input. */
  readonly state: Bytes;
  /** Host files that output is appended to instead of being collected (crun's run.oci.hooks.stdout and stderr). */
  readonly stdout?: Bytes;
  readonly stderr?: Bytes;
}

/** What a plan of a hook answers with. */
export interface HookPlan extends Plan {
  readonly pid: Slot;
  readonly pidfd: Slot;
  /** Read ends of its output, where that is collected. */
  readonly outputs: { readonly stdout: Slot | undefined; readonly stderr: Slot | undefined };
}

/** A container that a launcher has been led into by `enterContainer`. */
export interface Inside {
  readonly pidfd: number;
  /** Its time namespace; -1 without one of its own. */
  readonly time: number;
  /** The directory to change root to, where there is no mount namespace; -1 otherwise. */
  readonly root: number;
  /** All namespaces but that of processes, which the launcher has joined. */
  readonly flags: number;
  readonly cgroup: CgroupPlan | undefined;
}

/** Slots of `enterContainer`. */
export interface Entrance {
  readonly steps: readonly Step[];
  readonly pidfd: Slot;
  readonly time: Slot | undefined;
  readonly root: Slot | undefined;
  readonly cwd: Slot | undefined;
  /** Played once TypeScript has proven that `pidfd` is the very process. */
  join(descriptor: number): readonly Step[];
  readonly flags: number;
}

/** Opens the container whose first process is `pid`, for a hook that runs inside it as `kind` has it. */
export function enterContainer(
  c: Context,
  kind: 'createContainer' | 'startContainer',
  pid: number,
): Entrance {
  const pidfd = slot('container', { reply: true });
  const started = kind === 'startContainer';
  const has = (type: LinuxNamespaceType) => c.namespaces.has(type);
  const cwd = started ? slot('container_cwd', { reply: true }) : undefined;
  // Where setns(2) need not lead to it: the root of a process, or a chroot that the runtime is in.
  const elsewhere = !started || !has('mount');
  const root = elsewhere ? slot('container_root', { reply: true }) : undefined;
  const time = has('time') ? slot('container_time', { reply: true }) : undefined;
  const open = (name: Bytes, flags: number, result: Slot | undefined) =>
    result === undefined
      ? []
      : [sys.openat(sys.AT_FDCWD, `/proc/${pid}/${name}`, flags | O_CLOEXEC, 0, { result })];
  const calls = [
    // A process of the container could otherwise look into the hook before its execve (CVE-2016-9962).
    sys.prctl(PR_SET_DUMPABLE, 0),
    call('pidfd_open', [number(pid), number(0)], { result: pidfd }),
    ...open('cwd', O_PATH | O_DIRECTORY, cwd),
    ...open('root', O_PATH | O_DIRECTORY, root),
    // Its own takes effect at its execve; that of its children is the configured one already.
    ...open('ns/time_for_children', O_RDONLY, time),
  ];
  // Without privilege the user namespace gives it, and everything else belongs to that.
  const first = (has('pid') ? CLONE_NEWPID : 0) | (has('user') && !c.facts.privileged ? CLONE_NEWUSER : 0);
  const all = [...c.namespaces.keys()].reduce((sum, type) => sum | CLONE_FLAG[type], 0);
  return {
    steps: [
      step('parent', 'open-container', `open the container of process ${pid}`, `/hooks/${kind}`, calls),
    ],
    pidfd,
    time,
    root,
    cwd,
    join: (descriptor) =>
      first === 0
        ? []
        : [
            step('parent', 'join-container', 'let the hook be born in the container', `/hooks/${kind}`, [
              sys.setns(descriptor, first),
            ]),
          ],
    flags: all & ~first & ~CLONE_NEWPID & ~CLONE_NEWTIME,
  };
}

const ALL_SEALS = 0xf;

/** A sealed memory file, so that a hook of any size of state neither waits nor changes it. */
function stateFile(state: Bytes): { readonly fd: Slot; readonly calls: Call[] } {
  const fd = slot('state');
  return {
    fd,
    calls: [
      call('memfd_create', [string('state'), number(MFD_CLOEXEC | MFD_ALLOW_SEALING, F.MEMFD_FLAGS)], {
        result: fd,
      }),
      sys.write(fd, state),
      sys.fcntl(fd, F_ADD_SEALS, ALL_SEALS),
      sys.lseek(fd, 0, 0),
    ],
  };
}

interface Output {
  /** What becomes the hook's descriptor 1 or 2. */
  readonly end: Slot;
  /** Closed by the launcher after the fork. */
  readonly read: Slot | undefined;
  readonly calls: Call[];
}

/** 0700: what crun gives a file that it makes. */
const LOG_MODE = 0o700;

function output(name: 'stdout' | 'stderr', file: Bytes | undefined): Output {
  if (file !== undefined) {
    const end = slot(name);
    const flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    return {
      end,
      read: undefined,
      calls: [sys.openat(sys.AT_FDCWD, file, flags, LOG_MODE, { result: end })],
    };
  }
  const read = slot(`${name}_read`, { width: 4, reply: true });
  const end = slot(name, { width: 4 });
  return { end, read, calls: [sys.pipe2(read, end, O_CLOEXEC), sys.fcntl(read, F_SETFL, O_NONBLOCK)] };
}

/** Compiles one hook: for the host, or with `inside` for the container; `as` gives it the container's user and limits. */
export function compileHook(
  program: HookProgram,
  inside?: { readonly at: Inside; readonly context: Context; readonly asProcess: boolean },
): HookPlan {
  const { cause, title } = program;
  const [pid, pidfd] = [slot('pid', { reply: true }), slot('pidfd', { width: 4, reply: true })];
  const [executed, executedEnd] = [slot('executed', { width: 4 }), slot('executed_end', { width: 4 })];
  const state = stateFile(program.state);
  const [stdout, stderr] = [output('stdout', program.stdout), output('stderr', program.stderr)];
  const cgroup = inside?.at.cgroup;
  const clone = cgroup?.intoCgroup
    ? { flags: CLONE_PIDFD + CLONE_INTO_CGROUP, pidfd, cgroup: cgroup.intoCgroup }
    : { flags: CLONE_PIDFD, pidfd };
  const byte = outBuffer('executed_byte', 1, false);
  return {
    steps: [
      ...(cgroup?.create ?? []),
      step('parent', 'hook-files', `files of the ${title}`, cause, [
        ...state.calls,
        ...stdout.calls,
        ...stderr.calls,
        sys.pipe2(executed, executedEnd, O_CLOEXEC),
      ]),
      step('parent', 'fork', `clone the ${title}`, cause, [
        sys.fork(clone, { result: pid }),
        ...[executedEnd, state.fd, stdout.end, stderr.end].map((fd) => sys.close(fd)),
      ]),
      ...(cgroup?.release ?? []),
      step('parent', 'executed', `wait until the ${title} has been executed`, cause, [
        sys.read(executed, byte),
        sys.close(executed),
      ]),
      ...(cgroup?.join ?? []),
      ...childSteps(program, [state.fd, stdout.end, stderr.end], inside),
    ],
    pid,
    pidfd,
    outputs: { stdout: stdout.read, stderr: stderr.read },
  };
}

function childSteps(
  program: HookProgram,
  stdio: readonly Slot[],
  inside?: { readonly at: Inside; readonly context: Context; readonly asProcess: boolean },
): Step[] {
  const { cause, title, path, args, env, cwd } = program;
  const descriptors = step('child', 'hook-stdio', `standard descriptors of the ${title}`, cause, [
    ...stdio.map((fd, index) => sys.dup3(fd, index, 0)),
  ]);
  const enter = step('child', 'hook-directory', `directory of the ${title}`, cause, [
    typeof cwd === 'number' ? sys.fchdir(cwd) : sys.chdir(cwd),
  ]);
  const reset = step('child', 'signals', 'default dispositions and an empty mask', cause, resetCalls());
  // Not beyond an execve that raises privilege; a hook that caisson cannot time any more must not go on.
  const death = step('child', 'death-signal', 'die with the launcher', cause, [
    process.parentDeathSignal(SIGNALS.SIGKILL),
  ]);
  const memory = {
    kind: 'pointers' as const,
    items: env.map((bytes) => ({ kind: 'string' as const, bytes, secret: true })),
  };
  const execute = step('child', 'execute', `execute ${path}`, cause, [sys.execve(path, args, memory)]);
  if (inside === undefined) {
    const session = step('child', 'session', 'a session of its own', cause, [call('setsid', [])]);
    return [session, enter, descriptors, reset, death, execute];
  }
  const { at, context: c, asProcess } = inside;
  c.steps.push(...joinSteps(at, cause));
  process.session(c);
  c.steps.push(enter, descriptors, reset);
  if (asProcess) becomeProcess(c);
  c.steps.push(death);
  if (asProcess && c.spec.process?.noNewPrivileges) seccompUnwatched(c);
  c.steps.push(execute);
  return c.steps;
}

/** What the container's program will be, a startContainer hook is too: it is a program of the image, as in runc. */
function becomeProcess(c: Context): void {
  labels(c);
  c.child('umask', 'the umask of the container', '/process/user/umask', [
    sys.umask(c.spec.process?.user.umask ?? 0o022),
  ]);
  process.rlimits(c);
  if (!c.spec.process?.noNewPrivileges) seccompUnwatched(c);
  process.identity(c);
  process.noNewPrivileges(c);
}

function joinSteps(at: Inside, cause: string): Step[] {
  const calls: Call[] = [];
  if (at.flags !== 0) calls.push(sys.setns(at.pidfd, at.flags));
  if (at.time >= 0) calls.push(sys.setns(at.time, CLONE_NEWTIME));
  if (at.root >= 0) calls.push(sys.fchdir(at.root), call('chroot', [string('.')]));
  if (at.flags & CLONE_NEWUSER)
    calls.push(
      call('setresgid', [number(0), number(0), number(0)], { tolerate: [ERRNO.EINVAL] }),
      call('setresuid', [number(0), number(0), number(0)], { tolerate: [ERRNO.EINVAL] }),
    );
  return calls.length === 0 ? [] : [step('child', 'join-container', 'join the container', cause, calls)];
}

/** Dispositions that are ignored survive execve (signal(7)): all but those that nobody can ignore. */
function resetCalls(): Call[] {
  const action = pointer(struct({ name: 'sa', width: 32, value: 0 }), 'fixed');
  const calls: Call[] = [];
  for (let signal = 1; signal <= LAST_IGNORED; signal++) {
    if (signal === SIGNALS.SIGKILL || signal === SIGNALS.SIGSTOP) continue;
    calls.push(call('rt_sigaction', [number(signal, F.SIGNALS), action, NULL, number(8)]));
  }
  return [...calls, signalMask(0n)];
}

/** The standard signals, and the two that glibc keeps to itself. */
const LAST_IGNORED = 33;
