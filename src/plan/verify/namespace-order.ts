// Constraints on the launcher, the clone, namespaces, identity maps and cgroups.
import { CLOSE_RANGE_CLOEXEC } from '../../linux/constants/open.ts';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_PIDFD,
} from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import { before, type Constraint, describe, every, needs, never } from './constraint.ts';
import * as is from './recognise.ts';
import type { Is, Timeline } from './timeline.ts';

const mapsIds = is.either(
  is.writesFile('uid_map', 'gid_map'),
  is.both(is.parent, is.inStep('id-maps'), is.named('PAUSE')),
);
const late = is.either(is.unshares(CLONE_NEWNET), is.unshares(CLONE_NEWIPC), is.unshares(CLONE_NEWCGROUP));
const joinsCgroup = is.both(is.child, is.writesFile('cgroup.procs', 'tasks'));
const joinsCgroupBySlot = is.both(is.child, is.inStep('cgroup-join'), is.named('write'));
const entersCgroup = is.either(joinsCgroup, joinsCgroupBySlot);
const changesMounts = is.both(
  is.child,
  is.named('move_mount', 'mount', 'umount2', 'pivot_root', 'mount_setattr'),
);

function closesFirst(time: Timeline) {
  const first = time.parent[0];
  const closes = first?.call.name === 'close_range' && is.numberAt(first.call, 2) === CLOSE_RANGE_CLOEXEC;
  if (closes || first === undefined) return [];
  return [{ message: `the first call is ${describe(first)}`, moment: first }];
}

function oneFork(time: Timeline) {
  const forks = time.all.filter(({ call }) => call.name === 'FORK');
  const [fork, second] = forks;
  const wanted = time.notifier.length === 0 ? undefined : 'notifier';
  if (forks.length <= 2 && fork?.actor === 'parent' && second?.actor === wanted) return [];
  return [{ message: `${forks.length} forks`, ...(fork ? { moment: fork } : {}) }];
}

/** clone3 with NEWUSER makes namespaces that the unmapped user owns. */
const ownedByNobody = is.both(
  is.newUserNamespace,
  is.either(is.enters(CLONE_NEWNET), is.enters(CLONE_NEWIPC), is.enters(CLONE_NEWCGROUP)),
);

function leftBehind(time: Timeline) {
  // What may be there already is shared, and stays: cgroups above the container's.
  const shared: Is = ({ call }) => call.tolerate?.includes(ERRNO.EEXIST) === true;
  const makes = is.both(is.parent, is.either(is.makesFiles, is.named('mount', 'move_mount')), is.not(shared));
  const moment = time.parent
    .slice(0, time.forkAt)
    .find((each) => makes(each) && each.step.undo === undefined);
  return moment === undefined ? [] : [{ message: `${describe(moment)} has no undo`, moment }];
}

export const NAMESPACE_ORDER: readonly Constraint[] = [
  {
    id: 'close-range-first',
    order: 'close_range(CLOEXEC) before every other call',
    reason: 'a descriptor that the launcher inherited would reach the container',
    source: 'CVE-2024-21626, CVE-2016-9962; close_range(2)',
    check: closesFirst,
  },
  {
    id: 'one-fork',
    order: 'exactly one clone3, by the parent',
    reason: 'one child becomes the container; its records are found by one index',
    source: 'docs/plan.md; F6',
    check: oneFork,
  },
  {
    id: 'host-effects-undone',
    order: 'what the parent makes before the clone has an undo',
    reason: 'a start that fails leaves nothing behind',
    source: 'design.md, Crash safety',
    check: leftBehind,
  },
  {
    id: 'pid-before-fork',
    order: 'setns(CLONE_NEWPID) by the parent, before the clone3 of the child',
    reason: 'it changes only the namespace of children to come',
    source: 'I1; setns(2)',
    check: every(
      never(is.both(is.child, is.joins(CLONE_NEWPID))),
      before(is.joins(CLONE_NEWPID), is.both(is.named('FORK'), is.enters(CLONE_PIDFD))),
    ),
  },
  {
    id: 'user-joined-last-by-parent',
    order: "the parent's other joins, then setns(CLONE_NEWUSER) by the parent, then clone3",
    reason:
      "what clone3 makes belongs to the caller's user namespace, in which nothing of the host may be joined",
    source: 'launcher.md 4.4, Joining existing namespaces; user_namespaces(7)',
    check: every(
      never(is.both(is.child, is.joins(CLONE_NEWUSER))),
      before(is.both(is.parent, is.named('setns'), is.not(is.joins(CLONE_NEWUSER))), is.joins(CLONE_NEWUSER)),
      before(is.joins(CLONE_NEWUSER), is.named('FORK')),
    ),
  },
  {
    id: 'joined-before-mount-namespace',
    order: 'other joins before setns(CLONE_NEWNS)',
    reason: 'the mount namespace changes root and directory; paths of the caller are gone',
    source: 'launcher.md 4.4 step 9; setns(2)',
    check: before(is.both(is.named('setns'), is.not(is.joins(CLONE_NEWNS))), is.joins(CLONE_NEWNS)),
  },
  {
    id: 'map-before-root',
    order: 'uid_map and gid_map before setresuid(0)',
    reason: 'an id without a map is refused (EINVAL)',
    source: 'user_namespaces(7); F6',
    check: before(mapsIds, is.both(is.child, is.named('setresuid', 'setresgid'))),
  },
  {
    id: 'map-before-late-namespaces',
    order:
      'uid_map before unshare of network, ipc and cgroup; none of them in the clone3 that makes the user namespace',
    reason: 'their files would belong to the overflow id 65534 for ever',
    source: 'F1, F6',
    check: every(before(mapsIds, late), never(ownedByNobody)),
  },
  {
    id: 'setgroups-denied-before-gid-map',
    order: 'setgroups=deny before gid_map',
    reason: 'an unprivileged writer of gid_map is refused (EPERM) while groups could be dropped',
    source: 'J; CVE-2014-8989; user_namespaces(7)',
    check: before(is.writesFile('setgroups'), is.writesFile('gid_map')),
  },
  {
    id: 'map-before-execute',
    order: 'a new user namespace is mapped before anything is executed',
    reason: 'a program without a map runs as 65534 and can do nothing',
    source: 'user_namespaces(7)',
    check: (time) => (time.all.some(is.newUserNamespace) ? needs(is.executes, mapsIds)(time) : []),
  },
  {
    id: 'cgroup-before-cgroup-namespace',
    order: 'join of the cgroups before unshare(CLONE_NEWCGROUP)',
    reason: 'the root of a cgroup namespace is the cgroup of that moment',
    source: 'C1, C3; cgroup_namespaces(7)',
    check: before(entersCgroup, is.unshares(CLONE_NEWCGROUP)),
  },
  {
    id: 'cgroup-before-work',
    order: 'join of the cgroups before mounts and before execve',
    reason: 'what the container allocates is charged to it, and nothing runs without limits',
    source: 'launcher.md 4.4 step 7',
    check: before(entersCgroup, is.either(changesMounts, is.executes)),
  },
  {
    id: 'mount-namespace-before-mounts',
    order: 'a mount namespace, new or joined, before every mount of the child',
    reason: "the host's own mounts would change",
    source: 'mount_namespaces(7)',
    check: needs(changesMounts, is.enters(CLONE_NEWNS)),
  },
  {
    id: 'network-before-sysfs',
    order: 'the network namespace before sysfs',
    reason: 'sysfs shows the network namespace of its mounter, and a user namespace may mount only its own',
    source: 'E2; sysfs(5)',
    check: before(is.enters(CLONE_NEWNET), is.opensFileSystem('sysfs')),
  },
  {
    id: 'ipc-before-mqueue',
    order: 'the ipc namespace before mqueue',
    reason: 'the file system shows the queues of its mounter',
    source: 'F1; mq_overview(7)',
    check: before(is.enters(CLONE_NEWIPC), is.opensFileSystem('mqueue')),
  },
  {
    id: 'proc-in-child',
    order: 'procfs is opened by the child',
    reason: 'a procfs shows the pid namespace of its mounter, and the parent is in the old one',
    source: 'D; pid_namespaces(7)',
    check: never(is.both(is.parent, is.opensFileSystem('proc'))),
  },
  {
    id: 'uts-before-hostname',
    order: 'a uts namespace, new or joined, before sethostname and setdomainname',
    reason: 'the host itself would be renamed',
    source: 'uts_namespaces(7)',
    check: needs(is.named('sethostname', 'setdomainname'), is.enters(CLONE_NEWUTS)),
  },
  {
    id: 'network-before-loopback',
    order: 'the network namespace before the loopback device is brought up',
    reason: "it would be the host's device",
    source: 'network_namespaces(7)',
    check: needs(is.inStep('loopback'), is.enters(CLONE_NEWNET)),
  },
  {
    id: 'namespaces-before-sysctl',
    order: 'all unshare and setns of the child before sysctls',
    reason: 'a sysctl belongs to the namespace of its writer',
    source: 'launcher.md 4.4 step 10; namespaces(7)',
    check: before(
      is.both(
        is.child,
        is.named('unshare', 'setns'),
        is.not(is.unshares(CLONE_NEWTIME)),
        is.not(is.inStep('leave-chroot')),
      ),
      is.inStep('sysctl'),
    ),
  },
  {
    id: 'time-namespace-by-execve',
    order: 'unshare(CLONE_NEWTIME), then the offsets, then execve; never clone3(CLONE_NEWTIME)',
    reason: 'offsets are refused (EACCES) once a process is inside; execve enters',
    source: 'H2, H3; time_namespaces(7)',
    check: every(
      never(is.both(is.named('FORK'), is.enters(CLONE_NEWTIME))),
      needs(is.writesFile('timens_offsets'), is.unshares(CLONE_NEWTIME)),
      before(is.either(is.unshares(CLONE_NEWTIME), is.writesFile('timens_offsets')), is.executes),
    ),
  },
  {
    id: 'procfs-before-masks',
    order: 'in a user namespace every procfs is opened before /proc is masked',
    reason: 'the kernel refuses a new procfs (EPERM) while the only visible one is partly covered',
    source: 'M; user_namespaces(7)',
    check: (time) =>
      time.all.some(is.either(is.newUserNamespace, is.joins(CLONE_NEWUSER)))
        ? before(
            is.opensFileSystem('proc'),
            is.both(is.inStep('mask', 'readonly-path', 'pivot-root'), is.named('move_mount', 'umount2')),
          )(time)
        : [],
  },
];
