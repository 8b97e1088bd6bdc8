// Cgroups on the real kernel, whichever version this host has: what is asked for holds, and nothing stays behind.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { deviceUpdateFiles, deviceUpdateSteps } from '../../src/cgroups/device-update.ts';
import { freezerState, freezerStateFile, freezeStep, thawStep } from '../../src/cgroups/freezer.ts';
import { effectiveLimits, limitFiles, processCgroups } from '../../src/cgroups/inspect.ts';
import { joinCgroups } from '../../src/cgroups/join.ts';
import { killStep, parseProcesses, processFiles, signalStep } from '../../src/cgroups/kill.ts';
import { hierarchyOf } from '../../src/cgroups/layout.ts';
import { moveSteps } from '../../src/cgroups/move.ts';
import { oomStep } from '../../src/cgroups/oom.ts';
import { statistics, statisticsFiles } from '../../src/cgroups/statistics.ts';
import { updateFiles, updateLimits, updateSteps } from '../../src/cgroups/update.ts';
import { ERRNO } from '../../src/linux/errno.ts';
import type { LinuxDeviceCgroup } from '../../src/spec/runtime-spec.ts';
import { CgroupBench, cgroupsMissing, contentOf, hostCgroups } from './cgroup-play.ts';

const skip = cgroupsMissing() ?? false;

/** Runs `body` with a bench that is closed after it; what the scripts wrote. */
async function withBench(body: (bench: CgroupBench) => Promise<void>): Promise<string> {
  const bench = new CgroupBench();
  try {
    await body(bench);
  } catch (error) {
    await bench.close().catch(() => undefined);
    throw error;
  }
  const output = await bench.close();
  for (const { mountPoint } of bench.layout.hierarchies)
    assert.ok(!existsSync(`${mountPoint}${bench.base}`), mountPoint);
  return output;
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('it did not happen within four seconds');
}

const memoryFile = (version: 1 | 2) => (version === 1 ? 'memory.limit_in_bytes' : 'memory.max');

test('a process is in all of its cgroups before it runs, and the limits are there', { skip }, async () => {
  const output = await withBench(async (bench) => {
    const plan = bench.plan('all', {
      memory: { limit: 67108864 },
      cpu: { shares: 512, quota: 50000, period: 100000 },
      pids: { limit: 20 },
    });
    assert.equal(await bench.run(plan, 'cat /proc/self/cgroup'), 0);
    const memory = hierarchyOf(plan.cgroups, 'memory');
    assert.equal(contentOf(`${memory?.directory}/${memoryFile(memory?.version ?? 1)}`), '67108864\n');
    assert.equal(contentOf(`${bench.directory(plan, 'pids')}/pids.max`), '20\n');
    const cpu = hierarchyOf(plan.cgroups, 'cpu');
    const [file, text] = cpu?.version === 1 ? ['cpu.shares', '512\n'] : ['cpu.weight', '59\n'];
    assert.equal(contentOf(`${cpu?.directory}/${file}`), text);
  });
  const layout = new Set(
    output
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\d+:[^:]*:/, '')),
  );
  assert.deepEqual([...layout], [`/caisson-test-${process.pid}/all`]);
});

test('a limit of processes stops the next one', { skip }, async () => {
  const output = await withBench(async (bench) => {
    const plan = bench.plan('pids', { pids: { limit: 3 } });
    await bench.run(plan, 'sleep 5 & sleep 5 & (sleep 5) & wait %1; echo status $?');
  });
  assert.match(output, /[Cc]annot fork/);
});

test('a memory limit kills, and the report says so', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('oom', { memory: { limit: 16 << 20, swap: 16 << 20 } });
    const status = await bench.run(plan, 'exec tail /dev/zero');
    assert.equal(status, 137);
    const { steps, report } = oomStep(plan.cgroups);
    const found = report(await bench.must(steps));
    assert.equal(found?.limit, 16 << 20);
    assert.ok((found?.kills ?? 0) >= 1, `${found?.kills}`);
    if (hierarchyOf(plan.cgroups, 'memory')?.version === 2) assert.ok((found?.limitHits ?? 0) >= 1);
  });
});

test('no memory was short: the report says so too', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('enough', { memory: { limit: 128 << 20 } });
    assert.equal(await bench.run(plan, 'true'), 0);
    const { steps, report } = oomStep(plan.cgroups);
    assert.equal(report(await bench.must(steps))?.kills, 0);
  });
});

const RULES: readonly LinuxDeviceCgroup[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
];

test('devices: what is allowed opens, the rest does not, also after an update', {
  skip,
}, async () => {
  const output = await withBench(async (bench) => {
    const plan = bench.plan('devices', { devices: RULES });
    const script =
      'head -c1 /dev/null && echo null; head -c1 /dev/zero | wc -c; head -c1 /dev/urandom | wc -c';
    await bench.run(plan, script);
    const devices = [
      ...RULES.slice(0, 2),
      { allow: true, type: 'c' as const, major: 1, minor: 5, access: 'r' },
    ];
    const files = new Map(deviceUpdateFiles(plan.cgroups).map((file) => [file, contentOf(file)]));
    await bench.must(deviceUpdateSteps(devices, plan.cgroups, { files, hasDeviceProgram: true }));
    const again = { ...joinCgroups(plan.cgroups), cgroups: plan.cgroups, ignored: [] };
    await bench.run(again, 'head -c1 /dev/null && echo null; head -c1 /dev/zero | wc -c');
  });
  const words = output.split('\n').filter((line) => /^(null|[01])$/.test(line));
  assert.deepEqual(words, ['null', '0', '0', '1'], output);
});

test('cgroup v2 has one device program, however often it is updated', { skip }, async (context) => {
  const bench = new CgroupBench(2);
  const unified = bench.layout.hierarchies.length > 0;
  if (!unified) {
    await bench.close();
    context.skip('cgroup v2 is mounted nowhere');
    return;
  }
  const plan = bench.plan('programs', { devices: RULES });
  assert.equal(await bench.run(plan, 'head -c1 /dev/null && echo null; head -c1 /dev/zero | wc -c'), 0);
  const files = new Map<string, string>();
  const update = (hasDeviceProgram: boolean) =>
    bench.play(deviceUpdateSteps(RULES.slice(0, 2), plan.cgroups, { files, hasDeviceProgram }));
  for (let times = 0; times < 3; times++) assert.equal((await update(true)).failure, undefined);
  const again = { ...joinCgroups(plan.cgroups), cgroups: plan.cgroups, ignored: [] };
  assert.equal(await bench.run(again, 'echo after; head -c1 /dev/null && echo null; :'), 0);
  // A second one beside it is found by the next update: its query has room for one.
  assert.equal((await update(false)).failure, undefined);
  assert.match((await update(true)).failure ?? '', new RegExp(`bpf: errno ${ERRNO.ENOSPC}$`));
  assert.deepEqual(
    (await bench.close()).split('\n').filter((line) => /^(null|after|[01])$/.test(line)),
    ['null', '0', 'after'],
  );
});

test('frozen processes do nothing, and go on when thawed', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('frozen', {});
    const pid = await bench.start(plan, 'while :; do :; done');
    const file = freezerStateFile(plan.cgroups) ?? '';
    const state = () => freezerState(contentOf(file) ?? '');
    assert.equal(state(), 'thawed');
    await bench.must([freezeStep(plan.cgroups)]);
    await until(() => state() === 'frozen');
    const joined = await bench.play(joinCgroups(plan.cgroups).steps);
    assert.match(joined.failure ?? '', new RegExp(`CHECK: errno ${ERRNO.EBUSY}$`));
    await bench.must([thawStep(plan.cgroups)]);
    await until(() => state() === 'thawed');
    const kill = killStep(plan.cgroups);
    const [procs = ''] = processFiles(plan.cgroups);
    await bench.must([kill ?? signalStep(parseProcesses(contentOf(procs) ?? ''))]);
    assert.equal(await bench.wait(pid), 137);
  });
});

test('a frozen container is killed and removed', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('dead', {});
    const pid = await bench.start(plan, 'sleep 100 & sleep 100');
    await bench.must([freezeStep(plan.cgroups)]);
    const freezer = hierarchyOf(plan.cgroups, 'freezer');
    if (freezer?.version === 1) writeFileSync(`${freezer.directory}/freezer.state`, 'FROZEN');
    const kill = killStep(plan.cgroups);
    if (kill !== undefined) await bench.must([kill]);
    assert.equal(await bench.wait(pid), 137);
    assert.deepEqual(await bench.remove(plan.cgroups), []);
  });
});

test('processes of a v1 container are signalled through descriptors', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('signals', {});
    const pid = await bench.start(plan, 'sleep 100 & sleep 100; :');
    const file = `${plan.cgroups[0]?.directory}/cgroup.procs`;
    await until(() => parseProcesses(contentOf(file) ?? '').length >= 2);
    await bench.must([signalStep([...parseProcesses(contentOf(file) ?? ''), 0x3fffff])]);
    assert.equal(await bench.wait(pid), 137);
  });
});

test('cgroups inside of the container’s are removed with it', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('nested', {});
    await bench.must([...plan.steps, ...plan.release]);
    for (const { directory } of plan.cgroups) mkdirSync(`${directory}/a/b`, { recursive: true });
    assert.deepEqual(await bench.remove(plan.cgroups), []);
    assert.ok(!existsSync(plan.cgroups[0]?.directory ?? ''));
  });
});

test('a cgroup that exists, has processes or is frozen is refused', { skip }, async () => {
  await withBench(async (bench) => {
    const first = bench.plan('taken', {});
    const pid = await bench.start(first, 'exec sleep 100');
    const refused = async (leaf: 'new' | 'empty') =>
      (await bench.play(bench.plan('taken', {}, { leaf }).steps)).failure ?? '';
    assert.match(await refused('new'), new RegExp(`create cgroup .*mkdirat: errno ${ERRNO.EEXIST}$`));
    assert.match(await refused('empty'), new RegExp(`CHECK: errno ${ERRNO.EBUSY}$`));
    await bench.must([signalStep([pid])]);
    assert.equal(await bench.wait(pid), 137);
    await until(() => (contentOf(`${first.cgroups[0]?.directory}/cgroup.procs`) ?? '') === '');
    await bench.must([freezeStep(first.cgroups)]);
    assert.match(await refused('empty'), new RegExp(`CHECK: errno ${ERRNO.EBUSY}$`));
    await bench.must([thawStep(first.cgroups)]);
    assert.equal(await refused('empty'), '');
  });
});

test('a value that the kernel refuses names its field, and undo leaves nothing', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('refused', { cpu: { quota: 1 } });
    const { answer, batch } = await bench.play(plan.steps);
    const record = batch.records[answer.index];
    assert.deepEqual(record?.step.provenance, ['/linux/resources/cpu/quota']);
    assert.equal(answer.errno, ERRNO.EINVAL);
    const undo = plan.steps
      .slice(0, plan.steps.indexOf(record?.step ?? (plan.steps[0] as (typeof plan.steps)[0])))
      .reverse()
      .map((step) => ({ ...step, calls: step.undo ?? [] }));
    await bench.must(undo);
    for (const { directory } of plan.cgroups) assert.ok(!existsSync(directory), directory);
  });
});

test('limits of a running container go up and down', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('update', {
      memory: { limit: 64 << 20, swap: 64 << 20 },
      cpu: { quota: 50000, burst: 1000 },
    });
    const pid = await bench.start(plan, 'exec sleep 100');
    const memory = hierarchyOf(plan.cgroups, 'memory');
    for (const limit of [256 << 20, 32 << 20]) {
      const files = new Map(updateFiles(plan.cgroups).map((file) => [file, contentOf(file)]));
      const resources = {
        memory: { limit, swap: limit },
        cpu: { quota: limit / 1024, period: 50000, burst: 5000 },
      };
      await bench.must(updateSteps(updateLimits(resources, plan.cgroups, files).limits));
      assert.equal(contentOf(`${memory?.directory}/${memoryFile(memory?.version ?? 1)}`), `${limit}\n`);
    }
    await bench.must([signalStep([pid])]);
    await bench.wait(pid);
  });
});

test('statistics of what has run', { skip }, async () => {
  await withBench(async (bench) => {
    const plan = bench.plan('statistics', { pids: { limit: 9 }, memory: { limit: 64 << 20 } });
    await bench.run(plan, 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done');
    const files = statisticsFiles(plan.cgroups);
    const found = statistics(plan.cgroups, new Map(files.map((file) => [file, contentOf(file)])));
    assert.ok(found.cpu.usage.total > 1000000, `${found.cpu.usage.total} ns`);
    assert.equal(found.pids.limit, 9);
    assert.equal(found.memory.usage.limit, 64 << 20);
  });
});

test('the tightest limit of a process may be an ancestor’s; a process can be moved', { skip }, async () => {
  await withBench(async (bench) => {
    const outer = bench.plan('outer', { memory: { limit: 32 << 20 } });
    await bench.must([...outer.steps, ...outer.release]);
    const inner = bench.plan('outer/inner', { memory: { limit: 64 << 20 } });
    const pid = await bench.start(inner, 'exec sleep 100');
    const limitOf = () => {
      const cgroups = processCgroups(bench.layout, contentOf(`/proc/${pid}/cgroup`) ?? '');
      const contents = new Map(limitFiles(cgroups).map((file) => [file, contentOf(file)]));
      return effectiveLimits(cgroups, contents).find(({ quantity }) => quantity === 'memory');
    };
    assert.deepEqual(limitOf(), {
      quantity: 'memory',
      value: 32 << 20,
      directory: bench.directory(outer, 'memory'),
      own: 64 << 20,
    });
    const target = bench.plan('target', {});
    await bench.must([...target.steps, ...target.release, ...moveSteps(pid, target.cgroups)]);
    assert.match(contentOf(`/proc/${pid}/cgroup`) ?? '', /:\/caisson-test-\d+\/target\n/);
    assert.equal(limitOf()?.own, undefined);
    await bench.must([signalStep([pid])]);
    await bench.wait(pid);
    assert.deepEqual(await bench.remove(inner.cgroups), []);
  });
});

test('CPUs: an explicit list, and the parent’s where none is given', { skip }, async (context) => {
  const bench = new CgroupBench();
  const cpuset = hierarchyOf(bench.layout.hierarchies, 'cpuset');
  if (cpuset === undefined) {
    await bench.close();
    context.skip('this kernel has no cpuset');
    return;
  }
  for (const [name, resources, cpus] of [
    ['one', { cpu: { cpus: '0' } }, '0\n'],
    ['all', {}, undefined],
    ['all/deep/er', {}, undefined],
  ] as const) {
    const plan = bench.plan(name, resources);
    assert.equal(await bench.run(plan, 'true'), 0, name);
    if (cpus !== undefined) assert.equal(contentOf(`${bench.directory(plan, 'cpuset')}/cpuset.cpus`), cpus);
  }
  await bench.close();
});

test('no cgroup of any test is left', { skip }, () => {
  for (const { mountPoint } of hostCgroups().hierarchies) {
    assert.deepEqual(
      readdirSync(mountPoint).filter((name) => name.startsWith(`caisson-test-${process.pid}`)),
      [],
    );
  }
});
