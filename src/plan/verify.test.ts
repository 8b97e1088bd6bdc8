// Every constraint of verify can fail: for each, a plan that breaks it and is otherwise right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../spec/defaults.ts';
import type { LinuxNamespace, Spec } from '../spec/runtime-spec.ts';
import { type Call, call, number, pointer, slot, struct } from './call.ts';
import type { CompileOptions } from './compile/context.ts';
import { compile } from './compile.ts';
import { ROOT_FACTS } from './facts.testing.ts';
import type { HostFacts } from './facts.ts';
import { type Plan, type Step, step } from './step.ts';
import * as sys from './syscalls.ts';
import { CONSTRAINTS, verify } from './verify.ts';

const FACTS: HostFacts = {
  ...ROOT_FACTS,
  apparmor: true,
  files: new Map([...ROOT_FACTS.files, ['/srv/data', { type: 'directory', rdev: 0 }]]),
};

function testRoot() {
  const [root, directory] = [slot('root'), slot('root_directory')];
  const calls = [
    sys.openat(sys.AT_FDCWD, '/srv/rootfs', 0o12000000, 0, { result: directory }),
    sys.openTree(directory, '', 0o2000000 | 1 | 0x9000, { result: root }),
    sys.moveMount(root, directory, 0x44),
  ];
  return { root, steps: [step('child', 'root', 'bind the root', '/root/path', calls)] };
}

function plan(
  change: (spec: Spec) => Spec,
  facts: Partial<HostFacts> = {},
  options: Partial<CompileOptions> = {},
): Plan {
  return compile(
    change(exampleSpec()),
    { ...FACTS, ...facts },
    { id: 'x', root: testRoot(), dieWithParent: true, ...options },
  );
}

const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }];

function namespaces(...more: readonly LinuxNamespace[]): (spec: Spec) => Spec {
  return (spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      uidMappings: MAPPING,
      gidMappings: MAPPING,
      namespaces: [...(spec.linux?.namespaces ?? []), ...more],
    },
  });
}

/** A container that waits for start. */
const CREATED = plan(
  (spec) => spec,
  {},
  { dieWithParent: false, barrier: { socket: '/run/x/start' }, lock: 100 },
);

const HOOK = { path: '/bin/true' };
const DEVICES = new Map([['eth0', { index: 7, addresses: [] }]]);

/** Hooks, an agent and a network device. */
const COMPANY = plan(
  (spec) => ({
    ...spec,
    hooks: { createRuntime: [HOOK], startContainer: [HOOK] },
    ...(spec.root ? { root: { ...spec.root, readonly: true } } : {}),
    linux: {
      ...spec.linux,
      netDevices: { eth0: {} },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: '/run/agent.sock',
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      },
    },
  }),
  {},
  { netDevices: DEVICES },
);

/** Nearly everything: labels, sysctls, offsets, limits, a user, a directory, a bind. */
const FULL = plan((spec) => ({
  ...namespaces({ type: 'time' }, { type: 'cgroup' })(spec),
  mounts: [...(spec.mounts ?? []), { destination: '/data', source: '/srv/data', options: ['bind', 'ro'] }],
  process: {
    cwd: '/srv',
    args: ['/bin/true'],
    env: ['A=b'],
    ...spec.process,
    terminal: true,
    apparmorProfile: 'profile',
    user: { uid: 1000, gid: 1000, additionalGids: [5] },
    capabilities: { permitted: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
    scheduler: { policy: 'SCHED_OTHER' },
    noNewPrivileges: true,
  },
  linux: {
    ...namespaces({ type: 'time' }, { type: 'cgroup' })(spec).linux,
    sysctl: { 'net.ipv4.ip_forward': '1' },
    timeOffsets: { monotonic: { secs: 1, nanosecs: 0 } },
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
  },
}));
const CWD = plan((spec) => ({
  ...spec,
  process: { user: { uid: 0, gid: 0 }, args: ['/bin/true'], cwd: '/srv' },
}));
const CGROUP = (() => {
  const procs = slot('procs');
  const open = step('parent', 'cgroup-open', 'open', 'default', [
    sys.openat(sys.AT_FDCWD, '/cgroup.procs', 0o2000001, 0, { result: procs }),
  ]);
  const join = step('child', 'cgroup-join', 'join', 'default', [sys.write(procs, '0')]);
  return plan(
    namespaces({ type: 'cgroup' }),
    {},
    { cgroup: { create: [open], join: [join], release: [], hierarchies: [] } },
  );
})();
const USER = plan(namespaces({ type: 'user' }), { privileged: false });
const ROOT_USER = plan(namespaces({ type: 'user' }));
const USER_LABEL = plan((spec) => {
  const made = namespaces({ type: 'user' })(spec);
  return made.process === undefined
    ? made
    : { ...made, process: { ...made.process, apparmorProfile: 'profile' } };
});
const JOINED = plan(namespaces({ type: 'user', path: '/u' }, { type: 'time', path: '/t' }));
const PID = plan((spec) => ({
  ...spec,
  linux: { ...spec.linux, namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'pid', path: '/p' }] },
}));
const MOUNT_JOINED = plan((spec) => ({
  ociVersion: spec.ociVersion,
  root: { path: '/' },
  ...(spec.process ? { process: { ...spec.process, terminal: false } } : {}),
  linux: {
    namespaces: [
      { type: 'mount', path: '/m' },
      { type: 'uts', path: '/u' },
    ],
  },
}));

type Change = (plan: Plan) => Plan;

const swap =
  (one: string, other: string): Change =>
  ({ steps }) => {
    const first = steps.find(({ id }) => id === one);
    const last = steps.findLast(({ id }) => id === other);
    assert.ok(first && last, `${one} and ${other}`);
    return { steps: steps.map((each) => (each === first ? last : each === last ? first : each)) };
  };

const drop =
  (id: string): Change =>
  ({ steps }) => ({ steps: steps.filter((each) => each.id !== id) });

/** Other calls in the first step of this kind. */
const calls =
  (id: string, change: (calls: readonly Call[]) => readonly Call[]): Change =>
  ({ steps }) => {
    const found = steps.find((each) => each.id === id);
    assert.ok(found, id);
    return { steps: steps.map((each) => (each === found ? { ...each, calls: change(each.calls) } : each)) };
  };

const add = (id: string, ...more: readonly Call[]): Change => calls(id, (old) => [...old, ...more]);
const first =
  (...more: readonly Step[]): Change =>
  ({ steps }) => ({ steps: [...more, ...steps] });
const reversed = (id: string): Change => calls(id, (old) => [...old].reverse());
const without = (id: string, name: string): Change =>
  calls(id, (old) => old.filter((each) => each.name !== name));

const unshare = (flag: number): Call => sys.unshare(flag);
const NEWNET = 0x40000000;
const NEWTIME = 0x80;
const NEWUSER = 0x10000000;
const NEWNS = 0x20000;

const pidJoinedByChild: Change = ({ steps }) => {
  const join = steps.find(({ id }) => id === 'join-pid');
  assert.ok(join);
  return { steps: [...steps.filter((each) => each !== join), { ...join, actor: 'child' }] };
};

/** The two joins of the child change places. */
const joinsReversed: Change = ({ steps }) => {
  const [one, other] = steps.filter(({ id }) => id === 'join-namespace');
  return { steps: steps.map((each) => (each === one && other ? other : each === other && one ? one : each)) };
};

const bindReversed: Change = ({ steps }) => ({
  steps: steps.map((each) =>
    each.title.startsWith('bind /srv/data') ? { ...each, calls: [...each.calls].reverse() } : each,
  ),
});

/** What breaks each constraint, and only by the way others. */
const BREAKAGES: readonly (readonly [string, Plan, Change])[] = [
  ['close-range-first', FULL, drop('launcher')],
  ['one-fork', FULL, add('fork', sys.fork({ flags: 0, pidfd: slot('other') }, {}))],
  [
    'host-effects-undone',
    FULL,
    first(step('parent', 'x', 'make', '/x', [sys.mkdirat(sys.AT_FDCWD, '/x', 0o755)])),
  ],
  ['pid-before-fork', PID, pidJoinedByChild],
  ['user-joined-last-by-parent', JOINED, swap('join-user', 'join-namespace')],
  ['joined-before-mount-namespace', MOUNT_JOINED, joinsReversed],
  ['map-before-root', USER, drop('await-map')],
  ['map-before-late-namespaces', USER, swap('await-map', 'unshare')],
  ['setgroups-denied-before-gid-map', USER, reversed('id-maps')],
  ['map-before-execute', USER, drop('id-maps')],
  ['cgroup-before-cgroup-namespace', CGROUP, swap('cgroup-join', 'unshare')],
  ['cgroup-before-work', CGROUP, swap('cgroup-join', 'isolate-mounts')],
  ['mount-namespace-before-mounts', FULL, calls('fork', () => [])],
  ['network-before-sysfs', FULL, add('hostname', unshare(NEWNET))],
  ['ipc-before-mqueue', FULL, add('hostname', unshare(0x08000000))],
  ['proc-in-child', FULL, add('pipes', sys.fsopen('proc', 1))],
  ['uts-before-hostname', FULL, calls('fork', () => [])],
  ['network-before-loopback', FULL, calls('fork', () => [])],
  ['namespaces-before-sysctl', FULL, swap('unshare', 'sysctl')],
  ['time-namespace-by-execve', FULL, reversed('time-namespace')],
  ['procfs-before-masks', USER_LABEL, swap('private-procfs', 'mask')],
  ['isolate-before-mounts', FULL, drop('isolate-mounts')],
  ['sources-before-mounts', ROOT_USER, swap('open-source', 'id-maps-done')],
  ['root-before-mounts', FULL, drop('private-root')],
  ['mounts-inside-root', FULL, add('private-root', sys.openat2(testRootSlot(FULL), 'x', 0o2000000, 0))],
  ['attributes-before-attach', FULL, bindReversed],
  ['mounts-before-pivot', FULL, swap('mount', 'pivot-root')],
  ['old-root-detached', FULL, without('pivot-root', 'umount2')],
  ['root-entered-after-detach', FULL, without('pivot-root', 'chdir')],
  ['masks-after-mounts', FULL, swap('mount', 'mask')],
  ['read-only-root-last', FULL, swap('devices', 'readonly-root')],
  ['read-only-root-before-execute', FULL, swap('readonly-root', 'execute')],
  ['umask-before-nodes', FULL, drop('umask')],
  ['devpts-before-terminal', FULL, swap('isolate-mounts', 'terminal')],
  ['namespace-root-before-pivot', FULL, drop('leave-chroot')],
  ['directory-after-pivot', CWD, swap('pivot-root', 'working-directory')],
  ['execute-last', FULL, add('execute', unshare(NEWTIME))],
  ['session-before-terminal', FULL, drop('session')],
  ['limits-after-opens', FULL, swap('umask', 'rlimit')],
  ['limits-before-user', FULL, swap('rlimit', 'capabilities')],
  ['label-before-capabilities', FULL, swap('label', 'capabilities')],
  ['scheduling-before-capabilities', FULL, swap('scheduler', 'capabilities')],
  ['bounding-before-user', FULL, swap('bounding-set', 'user')],
  ['keepcaps-around-user', FULL, calls('user', (old) => old.slice(1))],
  ['groups-before-user', FULL, reversed('user')],
  ['capset-after-user', FULL, swap('user', 'capabilities')],
  ['ambient-after-capset', FULL, reversed('capabilities')],
  ['death-signal-after-user', FULL, swap('user', 'death-signal')],
  ['parent-seen-after-death-signal', FULL, reversed('death-signal')],
  ['filter-in-its-place', FULL, swap('user', 'seccomp')],
  ['no-new-privileges-before-execute', FULL, swap('no-new-privileges', 'execute')],
  ['signals-before-execute', FULL, drop('signals')],
  ['lock-closed-first', CREATED, swap('unlock', 'creation-death-signal')],
  ['barrier-before-execute', CREATED, calls('await-start', (old) => old.slice(0, -1))],
  ['listening-before-created', CREATED, calls('created', (old) => [...old.slice(1), ...old.slice(0, 1)])],
  [
    'connection-before-pause',
    CREATED,
    calls('await-start', (old) => old.filter(({ name }) => name !== 'dup3')),
  ],
  ['created-needs-nobody', CREATED, reversed('created')],
  ['ending-signals-before-filter', CREATED, drop('end-signals')],
  [
    'lengths-declared',
    FULL,
    add(
      'session',
      call('fstatfs', [number(0), pointer(struct({ name: 'short', width: 8, value: 0 }), 'fixed')]),
    ),
  ],
  ['strings-end', FULL, add('session', sys.chdir('/a\0b'))],
  ['slots-set-before-use', FULL, drop('pipes')],
  ['slots-have-one-home', FULL, add('session', ...twoHomes())],
  ['tolerance-fits', FULL, add('session', sys.chdir('/', { tolerate: [1, 2, 3, 4, 5] }))],
  [
    'arguments-fit',
    FULL,
    add(
      'session',
      call(
        'close',
        Array.from({ length: 7 }, () => number(0)),
      ),
    ),
  ],
  ['create-hooks-before-root', COMPANY, swap('hooks', 'pivot-root')],
  ['own-pid-on-the-host', COMPANY, swap('own-pid', 'execute')],
  ['start-hooks-in-the-root', COMPANY, swap('start-hooks', 'own-pid')],
  ['listener-announced', COMPANY, add('listener', sys.umask(0))],
  ['notifier-waits', COMPANY, reversed('notifier-send')],
  ['notifier-ends', COMPANY, without('executed', 'wait4')],
  ['devices-after-namespace', COMPANY, swap('net-device-free', 'net-devices-await')],
  ['devices-before-addresses', COMPANY, swap('net-devices-await', 'net-device-up')],
  ['descriptors-closed-by-execve', FULL, add('session', sys.openat(sys.AT_FDCWD, '/', 0))],
];

function testRootSlot({ steps }: Plan) {
  const root = steps.flatMap((each) => each.calls).find(({ result }) => result?.name === 'root')?.result;
  assert.ok(root);
  return root;
}

function twoHomes(): Call[] {
  const shared = slot('shared', { width: 4 });
  const one = () =>
    pointer(struct({ name: 'a', width: 4, value: shared }, { name: 'b', width: 4, value: 0 }), 'fixed');
  return [call('pipe2', [one(), number(0o2000000)]), call('pipe2', [one(), number(0o2000000)])];
}

for (const [id, whole, change] of BREAKAGES) {
  test(`verify: ${id} can fail`, () => {
    assert.deepEqual(verify(whole), []);
    const broken = change(whole);
    const found = verify(broken).map(({ constraint }) => constraint);
    assert.ok(found.includes(id), `found ${found.join(', ') || 'nothing'}`);
  });
}

test('verify: every constraint has a plan that breaks it, an id of its own, a reason and a source', () => {
  const constraints = Object.values(CONSTRAINTS).flat();
  assert.deepEqual(constraints.map(({ id }) => id).sort(), BREAKAGES.map(([id]) => id).sort());
  for (const { order, reason, source } of constraints)
    assert.ok(order !== '' && reason !== '' && source !== '');
});

test('verify: a violation names the step', () => {
  const [found] = verify(drop('session')(FULL)).filter(
    ({ constraint }) => constraint === 'session-before-terminal',
  );
  assert.equal(found?.step, 'terminal');
  assert.match(found?.message ?? '', /ioctl of the child's step/);
});

test('verify: what the flags of a namespace say, late joins and the map in one clone', () => {
  const cloned = calls('fork', (old) =>
    old.map((each) =>
      each.name === 'FORK' ? sys.fork({ flags: NEWUSER + NEWNET + NEWNS, pidfd: slot('other') }, {}) : each,
    ),
  )(USER);
  assert.ok(verify(cloned).some(({ constraint }) => constraint === 'map-before-late-namespaces'));
});
