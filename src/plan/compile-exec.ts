// The plan of one `exec`: a further process of a running container (runtime-spec has none; runc exec).
//
// The launcher stays outside, on the host: it opens what the child needs, is made invisible to the container, and
// clones a child into the container's pid namespace. The child goes into the cgroups, then into all other namespaces,
// and becomes the process as a container's first one does (launcher.md 4.4, Exec).
import type { Bytes } from '../linux/bytes.ts';
import { CLOSE_RANGE_CLOEXEC, O_CLOEXEC, O_PATH, RESOLVE_NO_MAGICLINKS } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Process, Spec } from '../spec/runtime-spec.ts';
import { call, outBuffer, pointer, type Slot, slot, struct } from './call.ts';
import { preserveDescriptors } from './compile/barrier.ts';
import { type CgroupPlan, Context } from './compile/context.ts';
import { sendDescriptor } from './compile/descriptor.ts';
import { O_DIRECTORY } from './compile/destination.ts';
import { terminalOwner } from './compile/devices.ts';
import { affinityOf, joinedTerminal, stdioOwner } from './compile/exec-process.ts';
import { execute, labels, resetSignals, seccomp } from './compile/execute.ts';
import {
  type ExecTarget,
  forkExec,
  joinContainer,
  joinForChild,
  openContainerRoot,
} from './compile/join-container.ts';
import { type ForkSlots, PAUSE_STARTED } from './compile/namespaces.ts';
import { type AgentState, connectAgent, notified, reapNotifier } from './compile/notify.ts';
import * as process from './compile/process.ts';
import { callersProcfs } from './compile/procfs.ts';
import { resctrlJoin } from './compile/resctrl.ts';
import { scheduling } from './compile/scheduling.ts';
import { signalMask } from './compile/signal-mask.ts';
import { engineSocket, receiveTerminal, type StartPlan, terminalSockets } from './compile.ts';
import type { HostFacts } from './facts.ts';
import * as sys from './syscalls.ts';
import { waitCalls, watchFor } from './wait.ts';

/** What a caller decides, beside the process. */
export interface ExecOptions {
  readonly id: Bytes;
  readonly target: ExecTarget;
  readonly cgroup?: CgroupPlan;
  /** The user namespace lets its root set groups (/proc/PID/setgroups). */
  readonly mayCallSetgroups?: boolean;
  /** Standard descriptors that are pipes and sockets of other users than the process's. */
  readonly ownStdio?: readonly number[];
  /** oom_score_adj of the launcher, where it must lend its own to the child. */
  readonly ownOomScore?: number;
  readonly consoleSocket?: Bytes;
  readonly pidfdSocket?: Bytes;
  readonly preserveFds?: number;
  readonly noNewKeyring?: boolean;
  /** What an agent of SCMP_ACT_NOTIFY is told. */
  readonly agent?: AgentState;
  readonly showSecrets?: boolean;
}

/**
 * Compiles one exec. `spec` is the container's configuration, `given` the process: what it does not say of
 * capabilities, labels, limits and scheduling is the container's, as in runc.
 */
export function compileExec(spec: Spec, given: Process, facts: HostFacts, options: ExecOptions): StartPlan {
  const { target } = options;
  const c = contextOf(spec, inherited(spec, given), facts, options);
  c.parent('launcher', 'close-on-exec everything, block signals', 'default: nothing leaks (CVE-2024-21626)', [
    sys.closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC),
    sys.close(target.lock),
    signalMask(-1n),
  ]);
  const sockets = terminalSockets(c);
  const pidfdSocket = engineSocket(c, options.pidfdSocket, 'pidfd_socket');
  const rdt = resctrlJoin(c);
  c.steps.push(...(options.cgroup?.create ?? []), ...rdt.create);
  const root = openContainerRoot(c, target);
  const affinity = affinityOf(c);
  affinity.initial();
  const restoreOomScore = process.lendOomScore(c, options.ownOomScore);
  connectAgent(c);
  const forked = forkExec(c, joinForChild(c, spec, target));
  restoreOomScore();
  c.steps.push(...(options.cgroup?.release ?? []), ...rdt.release);
  const execution = child(
    c,
    forked,
    () => {
      if (options.ownOomScore === undefined) process.oomScore(c);
      c.steps.push(...(options.cgroup?.join ?? []), ...rdt.join);
      affinity.final();
      writeLabels(c);
      scheduling(c);
      joinContainer(c, spec, target, root);
    },
    sockets?.child,
  );
  const main = sockets?.parent && receiveTerminal(c, { parent: sockets.parent, child: sockets.child });
  const { pid, pidfd } = forked;
  const watch = watchFor(main);
  awaitExecution(c, forked);
  if (pidfdSocket !== undefined) {
    c.parent('send-pidfd', 'send a pidfd of the process', 'option: --pidfd-socket', [
      ...sendDescriptor(pidfdSocket, pidfd, 'setns'),
      sys.close(pidfdSocket),
    ]);
  }
  c.parent('started', 'say that the program runs', 'default: synchronisation', [sys.pause(PAUSE_STARTED)]);
  c.parent(
    'wait',
    'wait for the end of the process',
    'default: an attached exec',
    waitCalls(pidfd, watch, c.channel),
  );
  return {
    steps: c.steps,
    pid,
    pidfd,
    terminal: main,
    execution,
    watch,
    created: undefined,
    hooks: undefined,
    program: undefined,
    channel: c.channel,
    notifier: notified(c),
  };
}

/** What the process does not say, the container's configuration says (runc's newInitConfig). */
export function inherited(spec: Spec, given: Process): Process {
  const own = spec.process;
  if (own === undefined) return given;
  const { user, cwd, env, args, terminal, consoleSize, noNewPrivileges, ...rest } = given;
  const limits = (given.rlimits?.length ?? 0) > 0 ? given.rlimits : own.rlimits;
  const umask = user.umask ?? own.user.umask;
  return {
    ...(own.capabilities && { capabilities: own.capabilities }),
    ...(own.apparmorProfile && { apparmorProfile: own.apparmorProfile }),
    ...(own.selinuxLabel && { selinuxLabel: own.selinuxLabel }),
    ...(own.oomScoreAdj !== undefined && { oomScoreAdj: own.oomScoreAdj }),
    ...(own.scheduler && { scheduler: own.scheduler }),
    ...(own.ioPriority && { ioPriority: own.ioPriority }),
    ...(own.execCPUAffinity && { execCPUAffinity: own.execCPUAffinity }),
    ...rest,
    ...(limits && { rlimits: limits }),
    ...(args && { args }),
    ...(env && { env }),
    ...(terminal && { terminal }),
    ...(consoleSize && { consoleSize }),
    ...(noNewPrivileges && { noNewPrivileges }),
    cwd,
    user: umask === undefined ? user : { ...user, umask },
  };
}

/** The container's namespaces are joined ones to everything that compiles a process. */
export function contextOf(spec: Spec, own: Process, facts: HostFacts, options: ExecOptions): Context {
  const { target, mayCallSetgroups, ...rest } = options;
  const namespaces = target.namespaces.map((type) => ({ type, path: `/proc/${target.init}/ns` }));
  const joined = { ...spec, process: own, linux: { ...spec.linux, namespaces } };
  const root = { steps: [], root: slot('root') };
  return new Context(joined, facts, { ...rest, root, ...(mayCallSetgroups && { mapHelpers: true }) });
}

/** Written through the caller's procfs: the container's may be anything. They take effect at execve alone. */
function writeLabels(c: Context): void {
  const { apparmorProfile = '', selinuxLabel = '' } = c.spec.process ?? {};
  if (apparmorProfile === '' && selinuxLabel === '') return;
  const procfs = callersProcfs(c);
  labels(c);
  c.child('close-procfs', "close the caller's procfs", 'default: nothing of the host goes inside', [
    sys.close(procfs),
  ]);
}

/** Everything that the child does, in order; `join` ends with it inside the container. */
function child(c: Context, forked: ForkSlots, join: () => void, terminalSocket: Slot | undefined) {
  join();
  process.session(c);
  joinedTerminal(c, terminalSocket);
  terminalOwner(c);
  stdioOwner(c);
  const umask = c.spec.process?.user.umask ?? 0o022;
  c.child('umask', `umask ${umask.toString(8).padStart(4, '0')}`, '/process/user/umask', [sys.umask(umask)]);
  workingDirectory(c);
  process.rlimits(c);
  c.child('joined', 'say that it is inside', 'default: synchronisation', [
    sys.write(forked.executedEnd, 'j'),
  ]);
  if (!c.spec.process?.noNewPrivileges) seccomp(c);
  process.identity(c);
  process.noNewPrivileges(c);
  resetSignals(c);
  preserveDescriptors(c);
  return execute(c);
}

/** Not made when it is missing, and proven to lie inside: a link or a mount may lead anywhere (CVE-2024-21626). */
export function workingDirectory(c: Context): void {
  const cwd = c.spec.process?.cwd ?? '/';
  const directory = slot('cwd');
  const first = slot('cwd_first', { width: 4 });
  const path = struct({ name: 'first', width: 4, value: first }, { name: 'rest', width: 4092, value: 0 });
  c.child('working-directory', `change to ${cwd}`, '/process/cwd', [
    sys.openat2(sys.AT_FDCWD, cwd, O_PATH | O_DIRECTORY | O_CLOEXEC, RESOLVE_NO_MAGICLINKS, {
      result: directory,
    }),
    sys.fchdir(directory),
    sys.close(directory),
    call('getcwd', [pointer(path, 1), sys.number(4096)]),
    sys.check(first, 'EQ', SLASH, ERRNO.ENOENT, { mask: 0xffn }),
  ]);
}

const SLASH = 0x2f;

/**
 * The launcher: one byte says that the child is inside, the end of the pipe that the program runs. A child that is
 * killed on its way in (with the container, say) sends none.
 */
function awaitExecution(c: Context, { executed }: ForkSlots): void {
  const byte = outBuffer('executed_byte', 1, false);
  const length = slot('joined_length');
  c.parent('executed', 'wait until the program has been executed', 'default: synchronisation', [
    sys.read(executed, byte, { result: length }),
    sys.check(length, 'EQ', 1, ERRNO.ESRCH),
    sys.read(executed, byte),
    ...reapNotifier(c),
  ]);
}
