// Golden cases: containers that wait for `start`, and what an engine passes to them.
import { all, withNamespace, withProcess } from './fixtures.ts';
import type { GoldenCase } from './golden-case.ts';

const barrier = { socket: '/run/caisson/golden/start' };
const terminal = withProcess({ terminal: true });

export const LIFECYCLE_CASES: readonly GoldenCase[] = [
  { name: 'created', purpose: 'waits for start, with the lock of the command closed and the death signal taken back', options: { barrier, lock: 100 }, show: 'full' },
  { name: 'created-user', purpose: 'the change of user has cleared the death signal', options: { barrier, lock: 100 }, change: withProcess({ user: { uid: 1000, gid: 1000 } }) },
  { name: 'created-rootless', purpose: 'an ordinary user', rootless: true, options: { barrier, lock: 100 } },
  { name: 'created-with-privileges', purpose: 'the filter is loaded before the barrier', options: { barrier, lock: 100 }, change: all(withProcess({ noNewPrivileges: false, args: ['sh'] })) },
  { name: 'created-terminal', purpose: "the terminal goes to the engine's socket", options: { barrier, lock: 100, consoleSocket: '/run/engine/console.sock' }, change: terminal },
  { name: 'created-pidfd', purpose: 'a pidfd goes to the engine', options: { barrier, lock: 100, pidfdSocket: '/run/engine/pidfd.sock' } },
  { name: 'created-preserved-descriptors', purpose: 'the channel lies behind the descriptors that are passed on', options: { barrier, lock: 102, preserveFds: 2 } },
  { name: 'attached-preserved-descriptors', purpose: 'the same without a barrier', options: { dieWithParent: true, preserveFds: 1 } },
  { name: 'created-time-namespace', purpose: 'offsets before the barrier', options: { barrier, lock: 100 }, change: withNamespace('time') },
];
