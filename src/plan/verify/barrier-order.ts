// Constraints on a container that waits for `start`: what it must have let go of, and what it must not do yet.
import { PR_SET_PDEATHSIG } from '../../linux/constants/process.ts';
import { PAUSE_START } from '../compile/namespaces.ts';
import { before, type Constraint, describe, every, followed, needs } from './constraint.ts';
import * as is from './recognise.ts';
import type { Timeline } from './timeline.ts';

const { child } = is;
const waits = is.both(child, is.inStep('await-start'), is.named('accept4'));
const polls = is.both(child, is.inStep('await-start'), is.named('ppoll'));
const opensSignals = is.both(child, is.named('signalfd4'));
const filters = is.both(child, is.named('seccomp'));
const goesOn = is.both(child, is.named('PAUSE'), ({ call }) => is.numberAt(call, 0) === PAUSE_START);
const takesConnection = is.both(child, is.inStep('await-start'), is.named('dup3'));
const listens = is.both(child, is.named('listen'));
const seesParent = is.both(child, is.inStep('created'), is.named('ppoll'));
// Each of them may close the child's end of the pipe.
const tells = is.both(child, is.inStep('created'), is.named('dup3', 'close_range'));
const deathSignal =
  (on: boolean): ((moment: Parameters<typeof child>[0]) => boolean) =>
  ({ call, actor }) =>
    actor === 'child' &&
    call.name === 'prctl' &&
    is.numberAt(call, 0) === PR_SET_PDEATHSIG &&
    (is.numberAt(call, 1) !== 0) === on;

function unlocksFirst(time: Timeline) {
  const at = time.child.findIndex(is.inStep('unlock'));
  const moment = time.child[at];
  return at <= 0 || moment === undefined
    ? []
    : [{ message: `${describe(moment)} is not the first thing that the child does`, moment }];
}

export const BARRIER_ORDER: readonly Constraint[] = [
  {
    id: 'lock-closed-first',
    order: 'the lock of the command is closed before anything else that the child does',
    reason: 'a child that waits for start would hold it, and no command could have the container',
    source: 'flock(2): a lock lives as long as the last copy of its descriptor',
    check: unlocksFirst,
  },
  {
    id: 'barrier-before-execute',
    order: 'start has let the container go on before it executes',
    reason: 'create ends before the program runs',
    source: 'runtime.md, Lifecycle',
    check: (time) => (time.child.some(waits) ? needs(is.executes, goesOn)(time) : []),
  },
  {
    id: 'listening-before-created',
    order: 'the socket listens before the launcher is told that the container is created',
    reason: 'a start that comes at once would be refused',
    source: 'connect(2), ECONNREFUSED',
    check: before(listens, tells),
  },
  {
    id: 'connection-before-pause',
    order: 'the connection takes the place of the channel before the container answers',
    reason: 'the launcher has gone, and nobody reads the old channel',
    source: 'docs/plan.md, The start barrier',
    check: every(needs(takesConnection, waits), needs(goesOn, takesConnection)),
  },
  {
    id: 'created-needs-nobody',
    order: 'the parent is seen, then the death signal is taken back, then the launcher is told',
    reason:
      'a signal taken back before leaves a container of a create that was killed; taken back after, the end of create kills it',
    source: 'prctl(2), poll(2)',
    check: every(before(seesParent, deathSignal(false)), before(deathSignal(false), tells)),
  },
  {
    id: 'ending-signals-before-filter',
    order: 'the signals that end a created container are opened before a filter is loaded, and waited for',
    reason:
      'PID 1 is spared by the kernel, so that nothing but SIGKILL would end it; and a filter need not allow signalfd',
    source: 'pid_namespaces(7), signalfd(2)',
    check: every(needs(polls, opensSignals), before(opensSignals, filters), followed(opensSignals, polls)),
  },
];
