// Every constraint on joining can fail: for each, a plan of an exec that breaks it and is otherwise right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PR_SET_DUMPABLE } from '../linux/constants/process.ts';
import { exampleSpec } from '../spec/defaults.ts';
import type { LinuxNamespaceType, Process, Spec } from '../spec/runtime-spec.ts';
import { type Call, slot } from './call.ts';
import { compileExec, inherited } from './compile-exec.ts';
import { ROOT_FACTS } from './facts.testing.ts';
import { type Plan, step } from './step.ts';
import * as sys from './syscalls.ts';
import { JOIN_ORDER } from './verify/join-order.ts';
import { verifyExec } from './verify.ts';

const FACTS = { ...ROOT_FACTS, apparmor: true, selinux: true };

const PROCESS: Process = {
  user: { uid: 1000, gid: 1000 },
  cwd: '/srv',
  args: ['/bin/true'],
  terminal: true,
  apparmorProfile: 'profile',
  scheduler: { policy: 'SCHED_OTHER' },
  noNewPrivileges: true,
};

const NAMESPACES: readonly LinuxNamespaceType[] = ['pid', 'network', 'mount', 'user'];

function cgroup() {
  const procs = slot('procs');
  const open = step('parent', 'cgroup-open', 'open', 'default', [
    sys.openat(sys.AT_FDCWD, '/tasks', 0o2000001, 0, { result: procs }),
  ]);
  const join = step('child', 'cgroup-join', 'join', 'default', [sys.write(procs, '0')]);
  return { create: [open], join: [join], release: [], hierarchies: [] };
}

const spec: Spec = {
  ...exampleSpec(),
  linux: { ...exampleSpec().linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
};
const target = { init: 7, pidfd: 5, lock: 4, namespaces: NAMESPACES };
const WHOLE: Plan = compileExec(spec, PROCESS, FACTS, { id: 'x', target, cgroup: cgroup() });

type Change = (plan: Plan) => Plan;

const swap =
  (one: string, other: string): Change =>
  ({ steps }) => {
    const first = steps.find(({ id }) => id === one);
    const last = steps.findLast(({ id }) => id === other);
    assert.ok(first && last, `${one} and ${other}`);
    return { steps: steps.map((each) => (each === first ? last : each === last ? first : each)) };
  };

const calls =
  (id: string, change: (calls: readonly Call[]) => readonly Call[]): Change =>
  ({ steps }) => ({
    steps: steps.map((each) => (each.id === id ? { ...each, calls: change(each.calls) } : each)),
  });

const without = (id: string, name?: string): Change =>
  calls(id, (old) => (name === undefined ? [] : old.filter((each) => each.name !== name)));
const add = (id: string, ...more: readonly Call[]): Change => calls(id, (old) => [...old, ...more]);

const BREAKAGES: readonly (readonly [string, Change])[] = [
  ['invisible-before-fork', swap('not-dumpable', 'fork')],
  ['invisible-before-fork', add('session', sys.prctl(PR_SET_DUMPABLE, 1))],
  ['lock-closed-before-fork', without('launcher', 'close')],
  ['cgroup-before-join', swap('cgroup-join', 'join-container')],
  ['labels-through-own-procfs', swap('label', 'join-container')],
  ['labels-through-own-procfs', add('session', sys.openat(sys.AT_FDCWD, '/proc/self/attr/exec', 1))],
  ['scheduling-before-join', swap('scheduler', 'join-container')],
  ['user-joined-last', calls('join-container', (old) => [...old].reverse())],
  ['joined-before-look-up', swap('join-container', 'working-directory')],
  ['joined-before-look-up', swap('join-container', 'keyring')],
  ['terminal-proven', without('terminal', 'fstatfs')],
  ['terminal-proven', without('terminal', 'CHECK')],
  ['directory-proven', without('working-directory', 'CHECK')],
  ['directory-proven', calls('working-directory', (old) => [...old].reverse())],
  ['inside-before-execute', without('joined')],
  ['inside-before-execute', swap('join-container', 'joined')],
  ['inside-before-execute', swap('joined', 'execute')],
  // Of the constraints on every plan, those that exec could break in a way of its own.
  ['pid-before-fork', swap('join-pid', 'fork')],
  ['close-range-first', without('launcher')],
  ['cgroup-before-work', swap('cgroup-join', 'execute')],
  ['limits-after-opens', swap('rlimit', 'working-directory')],
  ['label-before-capabilities', swap('label', 'capabilities')],
];

for (const [index, [id, change]] of BREAKAGES.entries()) {
  test(`verify of exec: ${id} can fail (${index})`, () => {
    assert.deepEqual(verifyExec(WHOLE), []);
    const found = verifyExec(change(WHOLE)).map(({ constraint }) => constraint);
    assert.ok(found.includes(id), `found ${found.join(', ') || 'nothing'}`);
  });
}

test('verify of exec: every constraint on joining has a plan that breaks it, a reason and a source', () => {
  const broken = new Set(BREAKAGES.map(([id]) => id));
  for (const { id, order, reason, source } of JOIN_ORDER) {
    assert.ok(broken.has(id), id);
    assert.ok(order !== '' && reason !== '' && source !== '');
  }
});

test("what the process does not say, the container's configuration says", () => {
  const own: Process = {
    user: { uid: 5, gid: 5, umask: 0o77 },
    cwd: '/own',
    args: ['own'],
    env: ['OWN=1'],
    terminal: true,
    noNewPrivileges: true,
    capabilities: { bounding: ['CAP_KILL'] },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
    oomScoreAdj: 9,
    apparmorProfile: 'own',
    ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
  };
  const container = { ...exampleSpec(), process: own };
  const bare = inherited(container, { user: { uid: 1, gid: 2 }, cwd: '/', args: ['x'], rlimits: [] });
  assert.deepEqual(bare, {
    user: { uid: 1, gid: 2, umask: 0o77 },
    cwd: '/',
    args: ['x'],
    capabilities: { bounding: ['CAP_KILL'] },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
    oomScoreAdj: 9,
    apparmorProfile: 'own',
    ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
  });
  const full: Process = {
    user: { uid: 1, gid: 2, umask: 0 },
    cwd: '/',
    capabilities: {},
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }],
    oomScoreAdj: 0,
    apparmorProfile: 'other',
  };
  const said = inherited(container, full);
  assert.deepEqual(said, { ...full, ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 } });
});
