// Constraints on the process: session, terminal, limits, labels, identity, capabilities, filter, execve.
import { PR_SET_KEEPCAPS } from '../../linux/constants/process.ts';
import { before, type Constraint, describe, every, followed, needs } from './constraint.ts';
import * as is from './recognise.ts';
import type { Timeline } from './timeline.ts';

const { child } = is;
const dropsCapabilities = is.either(is.dropsBounding, is.changesUid, is.setsCapabilities);
const startsSession = is.both(child, is.named('setsid'));
const clearsKeep: (moment: Parameters<typeof is.keepsCapabilities>[0]) => boolean = ({ call }) =>
  call.name === 'prctl' && is.numberAt(call, 0) === PR_SET_KEEPCAPS && is.numberAt(call, 1) === 0;
const looksAtParent = is.both(child, is.inStep('death-signal'), is.named('ppoll'));
const labels = is.both(child, is.inStep('label'), is.named('write'));
const resetsMask = is.both(
  child,
  is.named('rt_sigprocmask'),
  ({ call }) => is.fieldAt(call, 1, 'mask') === 0,
);
const blocks = is.both(child, is.named('rt_sigprocmask'), ({ call }) => is.fieldAt(call, 1, 'mask') !== 0);

function executesLast(time: Timeline) {
  const first = time.child.findIndex(is.executes);
  if (first < 0) return time.child.length === 0 ? [] : [{ message: 'the child executes nothing' }];
  const after = time.child
    .slice(first)
    .find(({ call }) => !['execve', 'execveat', 'CHECK'].includes(call.name));
  return after === undefined ? [] : [{ message: `${describe(after)} comes after an execve`, moment: after }];
}

/** With no_new_privs the filter comes last, without it while there is still CAP_SYS_ADMIN. */
function filterInItsPlace(time: Timeline) {
  const withNoNewPrivileges = time.child.some(is.noNewPrivileges);
  return withNoNewPrivileges
    ? every(
        before(is.noNewPrivileges, is.loadsFilter),
        before(is.either(dropsCapabilities, is.raisesAmbient, is.deathSignal), is.loadsFilter),
      )(time)
    : before(is.loadsFilter, dropsCapabilities)(time);
}

export const PROCESS_ORDER: readonly Constraint[] = [
  {
    id: 'execute-last',
    order: 'execve is the last thing that the child does',
    reason: 'it replaces the player; only further candidates of PATH may follow',
    source: 'execve(2)',
    check: executesLast,
  },
  {
    id: 'session-before-terminal',
    order: 'setsid before TIOCSCTTY, and before execve',
    reason:
      "only the leader of a session without a terminal may take one; the caller's must not be inherited",
    source: 'CVE-2017-5226; setsid(2), ioctl_tty(2)',
    check: every(needs(is.takesTerminal, startsSession), needs(is.executes, startsSession)),
  },
  {
    id: 'limits-after-opens',
    order: 'resource limits after everything that opens descriptors',
    reason: 'RLIMIT_NOFILE may be small, RLIMIT_FSIZE and RLIMIT_AS too',
    source: 'setrlimit(2)',
    check: before(is.both(child, is.opens), is.both(child, is.named('prlimit64'))),
  },
  {
    id: 'limits-before-user',
    order: 'resource limits before the change of user and capabilities',
    reason: 'raising a hard limit needs CAP_SYS_RESOURCE',
    source: 'K; setrlimit(2)',
    check: before(is.both(child, is.named('prlimit64')), dropsCapabilities),
  },
  {
    id: 'label-before-capabilities',
    order: 'security labels before capabilities are dropped and before no_new_privs',
    reason: 'the change may need a capability, and no_new_privs restricts transitions',
    source: 'CVE-2019-16884; apparmor(7)',
    check: before(labels, is.either(dropsCapabilities, is.noNewPrivileges)),
  },
  {
    id: 'scheduling-before-capabilities',
    order: 'scheduler, I/O priority and memory policy before capabilities are dropped',
    reason: 'real-time classes need CAP_SYS_NICE or CAP_SYS_ADMIN',
    source: 'sched_setattr(2), ioprio_set(2)',
    check: before(
      is.both(child, is.named('sched_setattr', 'ioprio_set', 'set_mempolicy')),
      dropsCapabilities,
    ),
  },
  {
    id: 'bounding-before-user',
    order: 'PR_CAPBSET_DROP before setresuid and capset',
    reason: 'it needs CAP_SETPCAP, which the change takes away (EPERM)',
    source: 'B5; capabilities(7)',
    check: before(is.dropsBounding, is.either(is.changesUid, is.setsCapabilities)),
  },
  {
    id: 'keepcaps-around-user',
    order: 'PR_SET_KEEPCAPS on, setresuid, PR_SET_KEEPCAPS off',
    reason: 'without it a change to another user clears the permitted set',
    source: 'B1, B2; capabilities(7)',
    check: every(
      needs(is.changesUid, is.keepsCapabilities),
      before(is.changesUid, clearsKeep),
      before(is.keepsCapabilities, is.either(is.changesUid, clearsKeep)),
    ),
  },
  {
    id: 'groups-before-user',
    order: 'setgroups, setresgid, setresuid',
    reason: 'after the change of user the others are refused (EPERM)',
    source: 'CVE-2022-36109; setgroups(2), setresgid(2)',
    check: every(before(is.changesGroups, is.changesGid), before(is.changesGid, is.changesUid)),
  },
  {
    id: 'capset-after-user',
    order: 'capset after setresuid',
    reason: 'the change of user clears the effective set',
    source: 'B2, B3',
    check: every(before(is.changesUid, is.setsCapabilities), needs(is.executes, is.setsCapabilities)),
  },
  {
    id: 'ambient-after-capset',
    order: 'PR_CAP_AMBIENT_RAISE after capset',
    reason: 'only what is permitted and inheritable can be raised, and a change of user clears it',
    source: 'B1, B3; capabilities(7)',
    check: before(is.either(is.setsCapabilities, is.changesUid), is.raisesAmbient),
  },
  {
    id: 'death-signal-after-user',
    order: 'PR_SET_PDEATHSIG after setresuid and setresgid',
    reason: 'a change of ids clears it',
    source: 'L; prctl(2)',
    check: before(is.either(is.changesUid, is.changesGid), is.deathSignal),
  },
  {
    id: 'parent-seen-after-death-signal',
    order: 'with no_new_privs: PR_SET_PDEATHSIG, then a look whether the parent still lives',
    reason:
      'the signal is not sent by a parent that is dead already, and the container would outlive its command',
    source: 'prctl(2), poll(2)',
    check: (time) =>
      time.child.some(is.noNewPrivileges) ? followed(is.deathSignal, looksAtParent)(time) : [],
  },
  {
    id: 'filter-in-its-place',
    order:
      'without no_new_privs: seccomp before capabilities are dropped; with it: after no_new_privs and all else',
    reason:
      'loading needs CAP_SYS_ADMIN or no_new_privs (EACCES); later is better, because the filter must allow what follows',
    source: 'A; seccomp(2)',
    check: filterInItsPlace,
  },
  {
    id: 'no-new-privileges-before-execute',
    order: 'no_new_privs before execve',
    reason: 'it governs execve',
    source: 'prctl(2)',
    check: before(is.noNewPrivileges, is.executes),
  },
  {
    id: 'signals-before-execute',
    order: 'signals that the launcher blocked are unblocked before execve',
    reason: 'a mask survives execve: the program could not be stopped',
    source: 'signal(7)',
    check: (time) =>
      time.parent.some(is.named('rt_sigprocmask'))
        ? every(needs(is.executes, resetsMask), followed(blocks, resetsMask))(time)
        : [],
  },
];
