// Constraints on what happens in the company of others: hooks, the agent of a filter, network devices of the host.
import { SECCOMP_FILTER_FLAG_NEW_LISTENER } from '../../linux/constants/seccomp.ts';
import { PAUSE_HOOKS, PAUSE_START_HOOKS } from '../compile/hooks.ts';
import { PAUSE_NOTIFY } from '../compile/notify.ts';
import { before, type Constraint, describe, every, needs } from './constraint.ts';
import * as is from './recognise.ts';
import type { Moment, Timeline } from './timeline.ts';

const { child, parent } = is;
const pauses =
  (name: number) =>
  ({ call }: Moment) =>
    call.name === 'PAUSE' && is.numberAt(call, 0) === name;
const ownPid = is.both(child, is.inStep('own-pid'), is.named('readlinkat'));
const createHooks = is.both(child, pauses(PAUSE_HOOKS));
const startHooks = is.both(child, pauses(PAUSE_START_HOOKS));
const readOnly = is.inStep('readonly-root', 'mask', 'masks');
const listens = ({ call }: Moment) =>
  call.name === 'seccomp' && ((is.numberAt(call, 1) ?? 0) & SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0;
const reaps = is.both(parent, is.named('wait4'));
const devicesReady = is.both(child, is.inStep('net-devices-await'), is.named('read'));
const setsUp = is.both(child, is.inStep('net-device-up'));
const movesDevice = is.both(parent, is.inStep('net-device'));
const tellsReady = is.both(child, is.inStep('net-devices-await'), is.named('write'));
const seesFree = is.both(child, is.inStep('net-device-free'));

/** Nothing may take the number that was announced: the announcement is the call right before. */
function listenerAnnounced(time: Timeline) {
  return time.child
    .filter(listens)
    .filter(({ at }) => {
      const last = time.child[at - 1];
      return last === undefined || last.step.id !== 'listener' || last.call.name !== 'write';
    })
    .map((moment) => ({ message: `${describe(moment)} is not preceded by its announcement`, moment }));
}

function notifierWaits(time: Timeline) {
  const pause = time.notifier.findIndex(pauses(PAUSE_NOTIFY));
  const moment = time.notifier.find(
    ({ call, step, at }) => call.name === 'sendmsg' && step.id === 'notifier-send' && at < pause,
  );
  const never = time.notifier.length > 0 && pause < 0 ? [{ message: 'the notifier does not pause' }] : [];
  return moment === undefined ? never : [{ message: `${describe(moment)} comes before the filter`, moment }];
}

function notifierEnds(time: Timeline) {
  const last = time.notifier.at(-1);
  if (last === undefined) return [];
  if (last.call.name !== 'exit_group')
    return [{ message: `${describe(last)} is the last of the notifier`, moment: last }];
  return time.parent.some(reaps) ? [] : [{ message: 'the launcher does not reap the notifier' }];
}

export const COMPANY_ORDER: readonly Constraint[] = [
  {
    id: 'create-hooks-before-root',
    order: 'the hooks of create run before the change of root, and before the root is read-only',
    reason: 'their paths are the host’s, and they may still mount and write',
    source: 'config.md, POSIX-platform Hooks',
    check: every(before(createHooks, is.changesRoot), before(createHooks, readOnly)),
  },
  {
    id: 'own-pid-on-the-host',
    order: 'the child learns its process id before the change of root, and before any hook',
    reason: 'the procfs of the host has the number that the host knows it by',
    source: 'runtime.md, State',
    check: every(before(ownPid, is.changesRoot), needs(is.either(createHooks, startHooks), ownPid)),
  },
  {
    id: 'start-hooks-in-the-root',
    order: 'the hooks of start run after the change of root and of user, before execve',
    reason: 'they are programs of the image, and get no more than the container has',
    source: 'config.md, StartContainer Hooks',
    check: every(
      before(is.either(is.changesRoot, is.changesUid), startHooks),
      before(startHooks, is.executes),
    ),
  },
  {
    id: 'listener-announced',
    order: 'the number of the listener is announced by the last call before the filter',
    reason: 'the kernel takes the lowest number that is free, and no call may come after the filter',
    source: 'seccomp_unotify(2), dup(2)',
    check: listenerAnnounced,
  },
  {
    id: 'notifier-waits',
    order: 'the notifier pauses before it sends the listener',
    reason: 'there is no listener before the filter is loaded',
    source: 'seccomp_unotify(2)',
    check: notifierWaits,
  },
  {
    id: 'notifier-ends',
    order: 'the notifier ends by itself, and the launcher reaps it',
    reason: 'it shares the descriptors of the container',
    source: 'clone(2), CLONE_FILES',
    check: notifierEnds,
  },
  {
    id: 'devices-after-namespace',
    order:
      'the child sees that the names are free, says that it is in its network namespace, then devices are moved',
    reason:
      'they go to the namespace in which the child is, and a device whose name is taken is lost with it',
    source: 'config-linux.md, Network Devices',
    check: every(before(seesFree, tellsReady), needs(movesDevice, tellsReady)),
  },
  {
    id: 'devices-before-addresses',
    order: 'devices are moved before the child gives them addresses',
    reason: 'the move takes them away',
    source: 'rtnetlink(7)',
    check: every(needs(setsUp, devicesReady), needs(setsUp, movesDevice)),
  },
];
