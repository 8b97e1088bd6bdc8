// What the launcher and its child do, as strace sees it, is the printed plan: call by call, in order, nothing between.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { nodePort } from '../../src/host/node.ts';
import { builtPrograms } from '../../src/host/programs.ts';
import type { Call } from '../../src/plan/call.ts';
import { readingOrder } from '../../src/plan/step.ts';
import { verify } from '../../src/plan/verify.ts';
import { readBundle } from '../../src/runtime/bundle.ts';
import { prepare } from '../../src/runtime/prepare.ts';
import { runAttached } from '../../src/runtime/run.ts';
import {
  CAPABILITIES,
  capabilities,
  Harness,
  MOUNTS,
  NAMESPACES,
  type Part,
  rootOnly,
} from '../harness/caisson.ts';
import { type Bindings, compareTrace } from '../harness/strace.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const hasStrace = spawnSync('strace', ['-V'], { encoding: 'utf8' }).stdout?.includes('version 6.1') ?? false;
const skip = rootOnly || (!hasStrace && 'the printed form is that of strace 6.1, which is not here');

const MAPPING = [{ containerID: 0, hostID: 0, size: 65536 }];

const SUBORDINATE = [{ containerID: 0, hostID: 100000, size: 65536 }];

const SECCOMP = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
};

/** What each case is for, and its part of the configuration. */
const CASES: readonly (readonly [string, Part])[] = [
  ['the default configuration', {}],
  [
    'a user namespace',
    { linux: { namespaces: [...NAMESPACES, { type: 'user' }], uidMappings: MAPPING, gidMappings: MAPPING } },
  ],
  [
    'a user namespace of other ids, with a time namespace',
    {
      linux: {
        namespaces: [...NAMESPACES, { type: 'user' }, { type: 'time' }],
        uidMappings: SUBORDINATE,
        gidMappings: SUBORDINATE,
        timeOffsets: { boottime: { secs: 1000, nanosecs: 0 } },
      },
    },
  ],
  [
    'masked and read-only paths',
    {
      root: { readonly: true },
      linux: {
        maskedPaths: ['/proc/acpi', '/proc/keys', '/bin/none', '/tmp', '/etc/passwd'],
        readonlyPaths: ['/proc/sys', '/none'],
      },
    },
  ],
  [
    'a terminal',
    { process: { terminal: true, consoleSize: { height: 24, width: 80 }, user: { uid: 1000, gid: 1000 } } },
  ],
  [
    'an ordinary user with ambient capabilities and limits',
    {
      process: {
        user: { uid: 1000, gid: 100, additionalGids: [5, 20], umask: 0o27 },
        capabilities: capabilities(CAPABILITIES, { inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] }),
        rlimits: [
          { type: 'RLIMIT_NOFILE', soft: 64, hard: 1024 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ],
        oomScoreAdj: 100,
        cwd: '/made/by/caisson',
      },
    },
  ],
  ['a filter, last', { linux: { seccomp: SECCOMP } }],
  [
    'a filter, before capabilities are dropped',
    { process: { noNewPrivileges: false }, linux: { seccomp: SECCOMP } },
  ],
  [
    'scheduling, names, sysctls and a time namespace',
    {
      hostname: 'blue',
      domainname: 'example.org',
      process: {
        scheduler: { policy: 'SCHED_BATCH', nice: 5 },
        ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
      },
      linux: {
        namespaces: [...NAMESPACES, { type: 'time' }],
        timeOffsets: { monotonic: { secs: 100, nanosecs: 5 } },
        sysctl: { 'net.ipv4.ip_forward': '1' },
        personality: { domain: 'LINUX' },
      },
    },
  ],
  [
    'binds and file systems with options',
    {
      mounts: [
        ...MOUNTS,
        { destination: '/mnt/a', type: 'bind', source: '/usr', options: ['rbind', 'ro', 'nosuid', 'rslave'] },
        { destination: '/file', type: 'bind', source: '/etc/passwd', options: ['bind', 'noatime'] },
        { destination: '/caf\u00e9 "x"', type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'noexec'] },
        { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' },
        { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
      ],
    },
  ],
  [
    'devices',
    {
      linux: {
        devices: [
          { path: '/dev/net/tun', type: 'c', major: 10, minor: 200, uid: 5, gid: 6, fileMode: 0o600 },
          { path: '/dev/pipe', type: 'p' },
        ],
      },
    },
  ],
  [
    'limits',
    { linux: { resources: { pids: { limit: 30 }, memory: { limit: 64 << 20 }, cpu: { shares: 512 } } } },
  ],
  ['nothing new', { root: { path: '/' }, mounts: [], linux: { namespaces: [] } }],
];

/** Runs the bundle with the launcher under strace; the plan, and a trace for each process. */
async function traced(parts: Part) {
  const directory = harness.makeDirectory('trace');
  const launcher = `${directory}/launcher`;
  const programs = builtPrograms();
  writeFileSync(
    launcher,
    `#!/bin/sh\nexec strace -D -ff -v -s 1000000 -o ${directory}/out ${programs.launcher} "$@"\n`,
    { mode: 0o755 },
  );
  const port = nodePort({ ...programs, launcher });
  const { spec } = readBundle(port, harness.bundle(parts, 'true'));
  const prepared = prepare(port, spec, { id: harness.newId(), dieWithParent: true });
  const channel = await port.openChannel();
  const state = `${directory}/state`;
  mkdirSync(state, { mode: 0o700 });
  const pids: number[] = [];
  try {
    await runAttached(
      port,
      channel,
      prepared,
      { stateRoot: state },
      { started: ({ pid }) => void pids.push(pid) },
    );
  } finally {
    await channel.close();
  }
  const trace = (pid: number) => readFileSync(`${directory}/out.${pid}`, 'latin1').split('\n');
  const early = (prepared.beginning.early ?? []).filter(({ actor }) => actor === 'child');
  return {
    boundary: early.flatMap(({ calls }) => calls).length,
    plan: prepared.plan,
    parent: trace(channel.pid),
    child: trace(pids[0] ?? 0),
    exists: existsSync(launcher),
  };
}

for (const [name, parts] of CASES) {
  test(`strace equals the plan: ${name}`, { skip }, async () => {
    const { plan, parent, child, boundary } = await traced(parts);
    assert.deepEqual(verify(plan), []);
    const order = readingOrder(plan);
    const callsOf = (actor: string): Call[] =>
      order.filter(({ step }) => step.actor === actor).flatMap(({ step }) => step.calls);
    const bound: Bindings = new Map();
    // The launcher closes descriptors once by itself, before it reads the batch.
    const begin = parent.findLastIndex((line) => line.startsWith('close_range('));
    const compared = compareTrace(callsOf('parent'), parent, begin, bound);
    assert.equal(compared.difference, undefined);
    const own = compareTrace(callsOf('child'), child, 0, new Map(bound), boundary);
    assert.equal(own.difference, undefined);
    assert.ok(own.lines > 30, `only ${own.lines} lines of the child were compared`);
  });
}

test('strace differs where the plan is another', { skip }, async () => {
  const { plan, child } = await traced({});
  const calls = plan.steps.filter(({ actor }) => actor === 'child').flatMap(({ calls: each }) => each);
  const umask = calls.findIndex(({ name }) => name === 'umask');
  const exchanged = calls.with(umask, calls[umask + 1] as Call).with(umask + 1, calls[umask] as Call);
  assert.match(compareTrace(exchanged, child, 0, new Map()).difference ?? '', /expected/);
});
