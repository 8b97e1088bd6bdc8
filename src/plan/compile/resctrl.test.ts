// Groups of resctrl in plans: which are made, what is written to them, who joins them, and which are refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxIntelRdt, Spec } from '../../spec/runtime-spec.ts';
import { slot } from '../call.ts';
import { compile } from '../compile.ts';
import { compileExec } from '../compile-exec.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import { printCall, printPlan } from '../print.ts';
import type { Plan } from '../step.ts';
import { ownGroups } from './resctrl.ts';

const ROOT = '/sys/fs/resctrl';

const specWith = (intelRdt: LinuxIntelRdt): Spec => ({
  ...exampleSpec(),
  linux: { ...exampleSpec().linux, intelRdt },
});
/** `schemata` of the group that is asked for; undefined: it is not there. */
const factsWith = (schemata?: string) => ({
  ...ROOT_FACTS,
  resctrl: { mountPoint: ROOT, ...(schemata === undefined ? {} : { schemata }) },
});

function start(rdt: LinuxIntelRdt, schemata?: string): Plan {
  return compile(specWith(rdt), factsWith(schemata), {
    id: 'box',
    root: { steps: [], root: slot('root') },
  });
}

/** `actor: call` of everything that is about a group. */
function groupCalls(plan: Plan): string[] {
  return plan.steps
    .filter(({ id }) => id.startsWith('resctrl'))
    .flatMap(({ actor, calls }) => calls.map((call) => `${actor}: ${printCall(call)}`));
}

const JOIN = (group: string) => [
  `parent: openat(AT_FDCWD, "${group}/tasks", O_WRONLY|O_CLOEXEC) = <tasks of ${group}>`,
];
const MAKE = (group: string) => `parent: mkdirat(AT_FDCWD, "${group}", 0755)`;

/** What is written to `schemata`, as it is written. */
function written(rdt: LinuxIntelRdt, schemata?: string): string[] {
  return groupCalls(start(rdt, schemata))
    .filter((call) => call.includes('write(<schemata>'))
    .map((call) => /"(.*)"/.exec(call)?.[1] ?? '');
}

test('intelRdt: without it no call is about resctrl', () => {
  const spec = exampleSpec();
  const plan = compile(spec, factsWith('L3:0=f'), { id: 'x', root: { steps: [], root: slot('root') } });
  assert.doesNotMatch(printPlan(plan, { calls: true }), /resctrl/);
});

test('intelRdt: without closID a group with the id of the container is made, and joined by its first process', () => {
  const calls = groupCalls(start({}));
  assert.deepEqual(calls.slice(0, 2), [MAKE(`${ROOT}/box`), ...JOIN(`${ROOT}/box`)]);
  const joins = calls.filter((call) => call.startsWith('child: '));
  assert.deepEqual(joins, [`child: write(<tasks of ${ROOT}/box>, "0", 1)`]);
  // Before anything else: what the child allocates later is accounted there.
  const child = start({}).steps.filter(({ actor }) => actor === 'child');
  assert.equal(child.findIndex(({ id }) => id === 'resctrl-join') < 2, true);
});

test('intelRdt: a group of that id that somebody else has made is refused', () => {
  assert.throws(() => start({}, 'L3:0=f\n'), /\/sys\/fs\/resctrl\/box is somebody else's/);
});

test('intelRdt: the root is the default class', () => {
  const calls = groupCalls(start({ closID: '/' }, 'L3:0=f\n'));
  assert.deepEqual(calls.slice(0, 1), JOIN(ROOT));
});

test('intelRdt: the cache schema is written first, that of the bandwidth next, schemata last, in one group', () => {
  const rdt = {
    closID: 'gold',
    memBwSchema: 'MB:0=20',
    schemata: ['L2:0=f', 'L2:1=3'],
    l3CacheSchema: 'L3:0=f',
  };
  assert.deepEqual(written(rdt), ['L3:0=f\\nMB:0=20\\nL2:0=f\\nL2:1=3\\n']);
  const calls = groupCalls(start(rdt));
  assert.deepEqual(calls.slice(0, 2), [
    MAKE(`${ROOT}/gold`),
    `parent: openat(AT_FDCWD, "${ROOT}/gold/schemata", O_WRONLY|O_CLOEXEC) = <schemata>`,
  ]);
});

test('intelRdt: both schemas are written, or either', () => {
  assert.deepEqual(written({ l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20' }), ['L3:0=f\\nMB:0=20\\n']);
  assert.deepEqual(written({ l3CacheSchema: 'L3:0=f' }), ['L3:0=f\\n']);
  assert.deepEqual(written({ memBwSchema: 'MB:0=20' }), ['MB:0=20\\n']);
});

test('intelRdt: schemata are written as they are', () => {
  assert.deepEqual(written({ schemata: ['L3:0=0F; 1=c', 'SMBA:0=7'] }), ['L3:0=0F; 1=c\\nSMBA:0=7\\n']);
});

test('intelRdt: without a schema nothing is written', () => {
  assert.deepEqual(written({}), []);
  assert.deepEqual(written({ closID: 'gold', schemata: [] }, 'L3:0=f\n'), []);
});

test('intelRdt: a class that is there is not made, and must have the schemas of the configuration', () => {
  const there = '    MB:0= 20;1=100\n    L3:0=00f;1=7ff\n';
  const rdt = { closID: 'gold', l3CacheSchema: 'L3:1=7FF;0=f', memBwSchema: 'MB:0=20' };
  assert.equal(groupCalls(start(rdt, there)).includes(MAKE(`${ROOT}/gold`)), false);
  const others = [{ l3CacheSchema: 'L3:0=1' }, { memBwSchema: 'MB:1=20' }, { l3CacheSchema: 'L2:0=f' }];
  for (const other of others)
    assert.throws(
      () => start({ ...rdt, ...other }, there),
      /the schemata of \/sys\/fs\/resctrl\/gold are not /,
    );
});

test('intelRdt: a class without schemas must be there', () => {
  assert.throws(
    () => start({ closID: 'gold' }),
    (error) => error instanceof CaissonError && /gold does not exist/.test(error.message),
  );
  const calls = groupCalls(start({ closID: 'gold' }, 'L3:0=f\n'));
  assert.deepEqual(calls.slice(0, 1), JOIN(`${ROOT}/gold`));
  assert.equal(calls.includes(`child: write(<tasks of ${ROOT}/gold>, "0", 1)`), true);
});

test('intelRdt: a monitoring group of the id lies in the class, is joined, and must be new', () => {
  const calls = groupCalls(start({ closID: 'gold', enableMonitoring: true }, 'L3:0=f\n'));
  const monitor = `${ROOT}/gold/mon_groups/box`;
  assert.deepEqual(calls.slice(0, 3), [MAKE(monitor), ...JOIN(`${ROOT}/gold`), ...JOIN(monitor)]);
  assert.equal(calls.includes(`child: write(<tasks of ${monitor}>, "0", 1)`), true);
});

test('intelRdt: what a deletion removes is what was made for this container alone', () => {
  const own = (rdt: LinuxIntelRdt) => ownGroups(specWith(rdt), factsWith(), 'box');
  assert.deepEqual(own({}), [`${ROOT}/box`]);
  assert.deepEqual(own({ enableMonitoring: true }), [`${ROOT}/box/mon_groups/box`, `${ROOT}/box`]);
  assert.deepEqual(own({ closID: 'gold', l3CacheSchema: 'L3:0=f' }), []);
  assert.deepEqual(own({ closID: 'gold', enableMonitoring: true }), [`${ROOT}/gold/mon_groups/box`]);
  assert.deepEqual(own({ closID: '/', enableMonitoring: true }), [`${ROOT}/mon_groups/box`]);
  assert.deepEqual(ownGroups(exampleSpec(), factsWith(), 'box'), []);
});

test('intelRdt: a process of exec joins the groups, unless they are gone', () => {
  const process = { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/bin/true'] };
  const target = { init: 7, pidfd: 5, lock: 4, namespaces: [] };
  const exec = (schemata?: string) =>
    compileExec(specWith({ enableMonitoring: true }), process, factsWith(schemata), { id: 'box', target });
  const joins = groupCalls(exec('L3:0=f\n')).filter((call) => call.startsWith('child: '));
  assert.deepEqual(joins, [
    `child: write(<tasks of ${ROOT}/box>, "0", 1)`,
    `child: write(<tasks of ${ROOT}/box/mon_groups/box>, "0", 1)`,
  ]);
  assert.deepEqual(groupCalls(exec()), []);
});
