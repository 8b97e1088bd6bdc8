// Golden cases: containers that wait for `start`, and what an engine passes to them.
import { all, withLinux, withNamespace, withProcess, withUserNamespace } from './fixtures.ts';
import type { Change } from './fixtures.ts';
import type { GoldenCase } from './golden-case.ts';

const barrier = { socket: '/run/caisson/golden/start' };
const terminal = withProcess({ terminal: true });

const hook = [{ path: '/bin/true' }];
const withHooks: Change = (spec) => ({ ...spec, hooks: { createRuntime: hook, createContainer: hook, startContainer: hook } });
const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' as const }];
const withAgent = withLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/run/agent/socket', listenerMetadata: 'data', syscalls } });
const agent = { bundle: '/srv/bundle', status: 'creating' as const };
const withDevices = withLinux({ netDevices: { eth0: { name: 'inside0' }, eth1: { name: 'net%d' } } });
const attributes = Uint8Array.from([8, 0, 1, 0, 10, 9, 8, 7, 8, 0, 2, 0, 10, 9, 8, 7]);
const address = { index: 7, family: 2, prefixLength: 24, permanent: true, global: true, attributes };
const netDevices = new Map([['eth0', { index: 7, addresses: [address] }], ['eth1', { index: 8, addresses: [] }]]);

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
  { name: 'hooks', purpose: 'hooks before the change of root, and before the program', options: { dieWithParent: true }, change: withHooks },
  { name: 'hooks-created', purpose: 'the barrier is the pause for hooks of start', options: { barrier, lock: 100 }, change: withHooks },
  { name: 'hooks-rootless', purpose: "an ordinary user joins a child only while that is dumpable", rootless: true, options: { dieWithParent: true }, change: withHooks },
  { name: 'agent', purpose: 'a notifier clones the container and sends the listener to the agent', options: { dieWithParent: true, agent }, change: withAgent, show: 'full' },
  { name: 'agent-created', purpose: 'the filter is loaded before the barrier, and the table of descriptors is no longer shared', options: { barrier, lock: 100, agent }, change: withAgent },
  { name: 'agent-with-privileges', purpose: 'the filter is loaded before capabilities are dropped', options: { dieWithParent: true, agent }, change: all(withAgent, withProcess({ noNewPrivileges: false })) },
  { name: 'agent-join-pid', purpose: 'the notifier joins the pid namespace, the launcher stays outside', options: { dieWithParent: true, agent }, change: all(withAgent, withNamespace('pid', '/proc/77/ns/pid')) },
  { name: 'agent-user', purpose: 'identity maps are written by the number that the notifier tells', options: { dieWithParent: true, agent }, change: all(withAgent, withUserNamespace) },
  { name: 'net-devices', purpose: 'moved by the launcher, named and given their addresses by the child', options: { netDevices }, change: withDevices },
  { name: 'refused-intel-rdt', purpose: 'classes of service of resctrl', refused: true, change: withLinux({ intelRdt: { closID: 'guaranteed' } }) },
  { name: 'net-devices-absent', purpose: 'a device that the host does not have', refused: true, change: withDevices },
];
