// What an exec does, as strace sees it, is the printed plan: call by call, in order, nothing between.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { nodePort } from '../../src/host/node.ts';
import { builtPrograms } from '../../src/host/programs.ts';
import type { Call } from '../../src/plan/call.ts';
import type { StartPlan } from '../../src/plan/compile.ts';
import { readingOrder } from '../../src/plan/step.ts';
import { verifyExec } from '../../src/plan/verify.ts';
import { execProcess } from '../../src/runtime/exec.ts';
import type { Process } from '../../src/spec/runtime-spec.ts';
import { NAMESPACES, type Part } from '../harness/caisson.ts';
import { type Bindings, compareTrace } from '../harness/strace.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const [runtime] = RUNTIMES;
assert.ok(runtime);
const harness = new OciHarness(runtime);
after(() => harness.close());

const hasStrace = spawnSync('strace', ['-V'], { encoding: 'utf8' }).stdout?.includes('version 6.1') ?? false;
const skip = runtime.skip || (!hasStrace && 'the printed form is that of strace 6.1, which is not here');

const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }];
const FILTER = {
  seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO' }] },
};

const CASES: readonly (readonly [string, Part, Partial<Process>])[] = [
  ['the default configuration', {}, {}],
  ['a filter, last', { linux: FILTER }, { noNewPrivileges: true }],
  ['a filter, before capabilities are dropped', { linux: FILTER }, { noNewPrivileges: false }],
  ['a terminal', {}, { terminal: true, consoleSize: { height: 24, width: 80 } }],
  [
    'another user, scheduled, limited, elsewhere',
    {},
    {
      user: { uid: 1000, gid: 100, additionalGids: [5, 20], umask: 0o27 },
      cwd: '/home/alice',
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 1024 }],
      scheduler: { policy: 'SCHED_BATCH', nice: 5 },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
      execCPUAffinity: { initial: '0', final: '0' },
      oomScoreAdj: 100,
    },
  ],
  [
    'a user namespace',
    { linux: { namespaces: [...NAMESPACES, { type: 'user' }], uidMappings: MAPPING, gidMappings: MAPPING } },
    {},
  ],
  ['nothing new', { mounts: [], linux: { namespaces: [] } }, {}],
];

/** Plays an exec with the launcher under strace; the plan, and the traces of launcher and child. */
async function traced(parts: Part, process: Partial<Process>) {
  const id = harness.newId();
  harness.succeed(['run', '-d', '-b', harness.bundle(parts, 'exec sleep 1000'), id]);
  const directory = harness.makeDirectory('trace');
  const launcher = `${directory}/launcher`;
  const programs = builtPrograms();
  const strace = `strace -D -ff -v -s 1000000 -o ${directory}/out`;
  writeFileSync(launcher, `#!/bin/sh\nexec ${strace} ${programs.launcher} "$@"\n`, { mode: 0o755 });
  const plans: StartPlan[] = [];
  try {
    const code = await execProcess(
      nodePort({ ...programs, launcher }),
      { stateRoot: harness.state, id },
      {
        process: (spec) => ({
          user: { uid: 0, gid: 0 },
          cwd: '/',
          ...spec.process,
          args: ['/bin/true'],
          ...process,
        }),
        pidFile: `${directory}/pid`,
        compiled: (plan) => void plans.push(plan),
      },
    );
    assert.equal(code, 0);
  } finally {
    harness.succeed(['delete', '--force', id]);
  }
  const trace = (pid: string) => readFileSync(`${directory}/out.${pid}`, 'latin1').split('\n');
  const child = readFileSync(`${directory}/pid`, 'utf8');
  const pids = readdirSync(directory).flatMap((name) => (name.startsWith('out.') ? [name.slice(4)] : []));
  const parent = pids.find((pid) => pid !== child && trace(pid).some((line) => line.startsWith('flock(')));
  const [plan] = plans;
  assert.ok(plan && parent);
  return { plan, parent: trace(parent), child: trace(child) };
}

for (const [name, parts, process] of CASES) {
  test(`strace equals the plan of an exec: ${name}`, { skip }, async () => {
    const { plan, parent, child } = await traced(parts, process);
    assert.deepEqual(verifyExec(plan), []);
    const order = readingOrder(plan);
    const callsOf = (actor: string): Call[] =>
      order.filter(({ step }) => step.actor === actor).flatMap(({ step }) => step.calls);
    const bound: Bindings = new Map();
    const begin = parent.findLastIndex((line) => line.startsWith('close_range('));
    assert.equal(compareTrace(callsOf('parent'), parent, begin, bound).difference, undefined);
    const own = compareTrace(callsOf('child'), child, 0, new Map(bound));
    assert.equal(own.difference, undefined);
    assert.ok(own.lines > 30, `only ${own.lines} lines of the child were compared`);
  });
}
