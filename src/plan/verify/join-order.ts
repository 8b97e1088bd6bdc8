// Constraints on a process that joins a running container: what must be done outside, and what only inside.
import { CLONE_NEWNS, CLONE_NEWUSER, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import { before, type Constraint, describe, every, followed, needs, never } from './constraint.ts';
import * as is from './recognise.ts';
import type { Is, Moment, Timeline } from './timeline.ts';

const { child } = is;
const forks = is.named('FORK');
const setsDumpable =
  (value: number): Is =>
  ({ call }) =>
    call.name === 'prctl' && is.numberAt(call, 0) === PR_SET_DUMPABLE && is.numberAt(call, 1) === value;
const closesLock = is.both(is.parent, is.inStep('launcher'), is.named('close'));
/** Root or namespaces become the container's. */
const joins = is.both(child, is.inStep('join-container'), is.named('setns', 'chroot'));
const joinsUser = is.both(child, is.joins(CLONE_NEWUSER));
const joinsOthers = is.both(child, is.named('setns'), is.not(is.joins(CLONE_NEWUSER)));
const joinsMounts = is.both(child, is.either(is.joins(CLONE_NEWNS), is.named('chroot')));
const entersCgroup = is.both(child, is.inStep('cgroup-join'), is.named('write'));
const writesLabel = is.both(child, is.inStep('label'), is.named('write'));
const schedules = is.both(child, is.named('sched_setattr', 'ioprio_set', 'set_mempolicy'));
const looksUp = is.both(child, is.named('openat2'));
const takesKeys = is.both(child, is.named('keyctl'));
const enters = is.both(child, is.inStep('working-directory'), is.named('fchdir'));
const proves = is.both(child, is.inStep('working-directory'), is.named('CHECK'));
const looksAtDevice = is.both(child, is.inStep('terminal'), is.named('fstatfs'));
const checksDevice = is.both(child, is.inStep('terminal'), is.named('CHECK'));
const usesDevice = is.both(child, is.inStep('terminal'), is.named('ioctl', 'sendmsg'));
const tells = is.both(child, is.inStep('joined'), is.named('write'));

/** What is looked up by a path of the host in the child, once its paths are the container's. */
function hostPathsInside(time: Timeline) {
  const joined = time.child.findIndex(joinsMounts);
  const wrong = (moment: Moment) =>
    is.named('openat')(moment) && (is.textAt(moment.call, 1)?.startsWith('/') ?? false);
  const moment = joined < 0 ? undefined : time.child.slice(joined).find(wrong);
  return moment === undefined ? [] : [{ message: `${describe(moment)} comes after the join`, moment }];
}

export const JOIN_ORDER: readonly Constraint[] = [
  {
    id: 'invisible-before-fork',
    order: 'PR_SET_DUMPABLE off in the launcher before clone3, and never on again',
    reason:
      'a process of the container could look into the child, and trace it, before it is a harmless program',
    source: 'CVE-2016-9962; prctl(2), ptrace(2)',
    check: every(needs(forks, setsDumpable(0)), never(setsDumpable(1))),
  },
  {
    id: 'lock-closed-before-fork',
    order: 'the lock of the command is closed before clone3',
    reason: 'a process that lives on would hold it, and delete could not have the container',
    source: 'flock(2): a lock lives as long as the last copy of its descriptor',
    check: needs(forks, closesLock),
  },
  {
    id: 'cgroup-before-join',
    order: 'cgroups are joined before namespaces and root',
    reason: 'what the process does inside is limited and counted from its first moment there',
    source: 'launcher.md 4.4, Exec',
    check: before(entersCgroup, joins),
  },
  {
    id: 'labels-through-own-procfs',
    order:
      'labels are written, and files of the host opened by path, before the mount namespace or root is joined',
    reason: "the container's /proc may be anything, and the process would run without its label",
    source: 'CVE-2019-16884, CVE-2025-52881',
    check: every(before(writesLabel, joinsMounts), hostPathsInside),
  },
  {
    id: 'scheduling-before-join',
    order: 'scheduler, I/O priority and memory policy before the user namespace is joined',
    reason: 'real-time classes need a capability in the first user namespace',
    source: 'sched_setattr(2), ioprio_set(2)',
    check: before(schedules, joinsUser),
  },
  {
    id: 'user-joined-last',
    order: "the child's other joins, then setns(CLONE_NEWUSER)",
    reason:
      'the others need not belong to that user namespace (a network of the host), and nothing of the host may be joined in it',
    source: 'launcher.md 4.4, Joining existing namespaces; setns(2)',
    check: before(joinsOthers, joinsUser),
  },
  {
    id: 'joined-before-look-up',
    order: 'the container is joined before its terminal, its directory and its keys are looked up',
    reason: 'they would be those of the host',
    source: 'setns(2), pts(4), keyrings(7)',
    check: before(joins, is.either(looksUp, takesKeys, is.takesTerminal)),
  },
  {
    id: 'terminal-proven',
    order: 'what lies at /dev/pts/ptmx is seen to be of a devpts before it is used or sent',
    reason: 'it is a file of the container, which may have put anything there',
    source: 'CVE-2025-52565, CVE-2025-31133; statfs(2)',
    check: every(needs(checksDevice, looksAtDevice), needs(usesDevice, checksDevice)),
  },
  {
    id: 'directory-proven',
    order: 'the working directory is proven to lie inside after it was entered, before execve',
    reason: 'a descriptor of the host may be reached by a path of the container',
    source: 'CVE-2024-21626; getcwd(2)',
    check: every(followed(enters, proves), needs(is.executes, proves)),
  },
  {
    id: 'inside-before-execute',
    order: 'the child says that it is inside after the join, before its filter and before execve',
    reason:
      'a child that is killed with the container must not be taken for one that ran; the filter may deny the write',
    source: 'docs/plan.md; seccomp(2)',
    check: every(before(joins, tells), before(tells, is.loadsFilter), needs(is.executes, tells)),
  },
];
