// How a process gets into a running container: by a pidfd of the container's first process, in one or two setns(2).
//
// Facts I1, I3, O and L of launcher.md; setns(2), pid_namespaces(7), user_namespaces(7). The pidfd cannot come to mean
// another process, unlike paths below /proc/PID.
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { CLONE_INTO_CGROUP, CLONE_PIDFD, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import type { LinuxNamespaceType, Spec } from '../../spec/runtime-spec.ts';
import { type Call, call, NULL, number, type Slot, slot, string } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { O_DIRECTORY } from './destination.ts';
import { CLONE_FLAG, type ForkSlots } from './namespaces.ts';
import { cloneByNotifier, notifies } from './notify.ts';

/** The running container as a process that joins it sees it. */
export interface ExecTarget {
  /** Its first process, proven by its start time after `pidfd` was opened. */
  readonly init: number;
  /** A descriptor of the launcher. */
  readonly pidfd: number;
  /** The namespaces that are not the caller's own. */
  readonly namespaces: readonly LinuxNamespaceType[];
  /** The lock's descriptor in the launcher. */
  readonly lock: number;
}

/** Files of /proc/PID/ns. */
export const NAMESPACE_FILE: Readonly<Record<LinuxNamespaceType, Bytes>> = {
  mount: 'mnt',
  uts: 'uts',
  ipc: 'ipc',
  pid: 'pid',
  network: 'net',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
};

/** `spec` as the container's configuration has it: where its namespaces stand. */
function causes(spec: Spec, types: readonly LinuxNamespaceType[]): string[] {
  const own = spec.linux?.namespaces ?? [];
  const found = types.map((type) => own.findIndex((namespace) => namespace.type === type));
  const known = found.filter((index) => index >= 0).map((index) => `/linux/namespaces/${index}`);
  return known.length > 0 ? known : ["default: the container's namespaces that are not the caller's"];
}

const flagsOf = (types: readonly LinuxNamespaceType[]) =>
  types.reduce((sum, type) => sum | CLONE_FLAG[type], 0);

/** Without a mount namespace of its own a container has a root all the same: that of its first process. */
export function openContainerRoot(c: Context, { init, pidfd, namespaces }: ExecTarget): Slot | undefined {
  if (namespaces.includes('mount')) return undefined;
  const root = slot('container_root');
  c.parent('open-root', `open the root of process ${init}`, '/root/path', [
    sys.openat(sys.AT_FDCWD, `/proc/${init}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: root }),
    // The process is not reaped, so that the number was still its own.
    call('pidfd_send_signal', [number(pidfd), number(0, F.SIGNALS), NULL, number(0)]),
  ]);
  return root;
}

/**
 * The launcher, right before the clone: its child is born in the container's pid namespace. An ordinary user has the
 * right to that in the user namespace alone, and joins it at the same time. The result is what is left to a notifier.
 */
export function joinForChild(c: Context, spec: Spec, { pidfd, namespaces }: ExecTarget): readonly Call[] {
  c.parent('not-dumpable', 'keep processes of the container from looking in', 'default: CVE-2016-9962', [
    sys.prctl(PR_SET_DUMPABLE, 0),
  ]);
  const types = namespaces.filter((type) => type === 'pid' || (type === 'user' && !c.facts.privileged));
  if (types.length === 0) return [];
  const join = [sys.setns(pidfd, flagsOf(types))];
  if (notifies(c)) return join;
  c.parent(
    'join-pid',
    `let the next child be born in the ${types.join(' and ')} namespace`,
    causes(spec, types),
    join,
  );
  return [];
}

/** The pipe by which the child says how far it has come, and the clone; `join` is what `joinForChild` has left. */
export function forkExec(c: Context, join: readonly Call[]): ForkSlots {
  const pid = slot('pid', { reply: true });
  const pidfd = slot('pidfd', { width: 4, reply: true });
  const executed = slot('executed', { width: 4 });
  const executedEnd = slot('executed_end', { width: 4 });
  const into = c.options.cgroup?.intoCgroup;
  const clone =
    into === undefined
      ? { flags: CLONE_PIDFD, pidfd }
      : { flags: CLONE_PIDFD + CLONE_INTO_CGROUP, pidfd, cgroup: into };
  const [title, cause] = ['clone the process', 'default: the process'];
  const pipe = sys.pipe2(executed, executedEnd, O_CLOEXEC);
  if (notifies(c)) {
    c.parent('pipe', 'a pipe by which the child says how far it has come', cause, [pipe]);
    cloneByNotifier(c, { ...clone, pid, join, title, cause });
    c.parent('fork-done', 'keep the child the only writer', cause, [sys.close(executedEnd)]);
  } else {
    c.parent('fork', title, cause, [pipe, sys.fork(clone, { result: pid }), sys.close(executedEnd)]);
  }
  return { pid, pidfd, executed, executedEnd };
}

/**
 * The child: all other namespaces. Root of the host joins the user namespace last, because the others need not belong
 * to it (a network of the host, say); an ordinary user is in it already.
 */
export function joinContainer(c: Context, spec: Spec, target: ExecTarget, root: Slot | undefined): void {
  const { pidfd, namespaces } = target;
  const others = namespaces.filter((type) => type !== 'pid' && type !== 'user');
  const user = namespaces.includes('user');
  const calls: Call[] = [];
  if (others.length > 0) calls.push(sys.setns(pidfd, flagsOf(others)));
  if (root !== undefined) calls.push(sys.fchdir(root), call('chroot', [string('.')]));
  if (user && c.facts.privileged) {
    // The caller's groups must not stay where setgroups(2) may be denied.
    calls.push(call('setgroups', [number(0), NULL]), sys.setns(pidfd, CLONE_FLAG.user));
  }
  const inside = namespaces.filter((type) => type !== 'pid' && (type !== 'user' || c.facts.privileged));
  c.child('join-container', `join ${describe(inside, root)}`, causes(spec, inside), calls);
  if (!user) return;
  const zero = [number(0), number(0), number(0)];
  const unmapped = { tolerate: [ERRNO.EINVAL] };
  c.child('become-root', 'become root of the user namespace', causes(spec, ['user']), [
    call('setresgid', zero, unmapped),
    call('setresuid', zero, unmapped),
  ]);
}

function describe(joined: readonly LinuxNamespaceType[], root: Slot | undefined): string {
  if (joined.length === 0) return 'the root of the container';
  return `the namespaces ${joined.join(', ')}${root === undefined ? '' : ', and the root'}`;
}
