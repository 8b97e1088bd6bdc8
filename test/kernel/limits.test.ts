// Limits by flags, as the host's cgroup files show them and as a container feels them.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, rootless, rootOnly, type Started, skip, succeeded } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Where cgroups are on this host: one directory, or one per controller. */
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.controllers');

/** A directory of the tests' own cgroup, or of one below it. */
function directory(controller: string, name = ''): string {
  return `/sys/fs/cgroup/${UNIFIED ? '' : `${controller}/`}${harness.cgroup}${name === '' ? '' : `/${name}`}`;
}

/** The content of a cgroup file by its name on v1 or on v2. */
function limit(name: string, controller: string, v1: string, v2: string): string {
  return readFileSync(`${directory(controller, name)}/${UNIFIED ? v2 : v1}`, 'utf8').trim();
}

/** Runs `look` on the cgroup of a container that waits. */
async function whileItWaits<T>(
  flags: readonly string[],
  look: (cgroup: string, started: Started) => T | Promise<T>,
  script = '',
): Promise<T> {
  const started = harness.start(harness.runArguments(['-i', ...flags], `${script} echo ready; read line`), {
    stdin: 'pipe',
  });
  try {
    await started.untilPrinted('ready');
    const [name] = readdirSync(directory('pids')).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
    return await look(name ?? '', started);
  } finally {
    started.child.stdin?.end('\n');
    await started.end();
  }
}

test('each flag is found in the file of its controller', { skip: rootOnly }, async () => {
  const flags = [
    ...['--memory', '64m', '--memory-reservation', '32m', '--pids-limit', '21', '--cpu-shares', '512'],
    ...['--cpu-period', '50000', '--cpu-quota', '20000', '--cpuset-cpus', '0', '--cpuset-mems', '0'],
  ];
  await whileItWaits(flags, (name) => {
    assert.equal(limit(name, 'memory', 'memory.limit_in_bytes', 'memory.max'), '67108864');
    assert.equal(limit(name, 'memory', 'memory.soft_limit_in_bytes', 'memory.low'), '33554432');
    assert.equal(limit(name, 'pids', 'pids.max', 'pids.max'), '21');
    assert.equal(limit(name, 'cpuset', 'cpuset.cpus', 'cpuset.cpus'), '0');
    assert.equal(limit(name, 'cpuset', 'cpuset.mems', 'cpuset.mems'), '0');
    if (UNIFIED) {
      assert.equal(limit(name, 'cpu', '', 'cpu.max'), '20000 50000');
      assert.equal(limit(name, 'cpu', '', 'cpu.weight'), '59');
    } else {
      assert.equal(limit(name, 'cpu', 'cpu.shares', ''), '512');
      assert.equal(limit(name, 'cpu', 'cpu.cfs_period_us', ''), '50000');
      assert.equal(limit(name, 'cpu', 'cpu.cfs_quota_us', ''), '20000');
    }
  });
  await whileItWaits(['--cpus', '1.5'], (name) => {
    const quota = UNIFIED
      ? limit(name, 'cpu', '', 'cpu.max').split(' ')[0]
      : limit(name, 'cpu', 'cpu.cfs_quota_us', '');
    assert.equal(quota, '150000');
  });
});

test('throttles of block devices', { skip: rootOnly }, async () => {
  const disk = readFileSync('/proc/partitions', 'utf8').split('\n')[2]?.trim().split(/\s+/) ?? [];
  const [major, minor, , name = ''] = disk;
  if (!existsSync(`/dev/${name}`)) return;
  const flags = [`--device-read-bps=/dev/${name}:1mb`, `--device-write-iops=/dev/${name}:99`];
  await whileItWaits(flags, (cgroup) => {
    const expected = `${major}:${minor}`;
    if (UNIFIED) {
      assert.match(
        limit(cgroup, 'io', '', 'io.max'),
        new RegExp(`^${expected} rbps=1048576 wbps=max riops=max wiops=99$`),
      );
      return;
    }
    assert.equal(limit(cgroup, 'blkio', 'blkio.throttle.read_bps_device', ''), `${expected} 1048576`);
    assert.equal(limit(cgroup, 'blkio', 'blkio.throttle.write_iops_device', ''), `${expected} 99`);
  });
});

test('without flags there is a limit of processes and no other', { skip: rootOnly }, async () => {
  await whileItWaits([], (name) => {
    assert.equal(limit(name, 'pids', 'pids.max', 'pids.max'), '2048');
    const memory = limit(name, 'memory', 'memory.limit_in_bytes', 'memory.max');
    assert.ok(memory === 'max' || Number(memory) > 1e15, memory);
  });
  await whileItWaits(['--pids-limit', '-1'], (name) => {
    assert.equal(limit(name, 'pids', 'pids.max', 'pids.max'), 'max');
  });
});

test('the limits of a bundle', { skip: rootOnly }, async () => {
  const resources = { memory: { limit: 100000000 }, pids: { limit: 33 }, cpu: { shares: 2048 } };
  const cgroupsPath = `/${harness.cgroup}/bundle`;
  const bundle = harness.bundle({ linux: { resources, cgroupsPath } }, 'echo ready; read line');
  const started = harness.start(['oci', 'run', '--bundle', bundle, harness.newId()], { stdin: 'pipe' });
  await started.untilPrinted('ready');
  // The kernel counts in pages.
  assert.equal(
    limit('bundle', 'memory', 'memory.limit_in_bytes', 'memory.max'),
    String(100000000 - (100000000 % 4096)),
  );
  assert.equal(limit('bundle', 'pids', 'pids.max', 'pids.max'), '33');
  assert.equal(limit('bundle', 'cpu', 'cpu.shares', 'cpu.weight'), UNIFIED ? '157' : '2048');
  started.child.stdin?.end('\n');
  assert.equal((await started.end()).code, 0);
});

test('a container is in its cgroups before its first instruction', { skip: rootOnly }, () => {
  const lines = succeeded(
    harness.caisson([
      'run',
      '--cgroupns',
      'host',
      '--rootfs',
      harness.rootfs,
      '/bin/cat',
      '/proc/self/cgroup',
    ]),
  ).split('\n');
  const paths = new Set(lines.map((line) => line.split(':').at(-1)));
  assert.equal(paths.size, 1, lines.join(' '));
  assert.match([...paths][0] ?? '', new RegExp(`^/${harness.cgroup}/[0-9a-f]{64}$`));
  assert.deepEqual(new Set(harness.output([], 'cut -d: -f3 /proc/self/cgroup').split('\n')), new Set(['/']));
});

test('a child of the process has its namespaces and its cgroups', { skip: rootOnly }, () => {
  const show = 'cat /proc/self/cgroup; readlink /proc/self/ns/pid /proc/self/ns/net; ulimit -n';
  const output = harness.output(
    ['--cgroupns', 'host', '--ulimit', 'nofile=99:99'],
    `(${show}); sh -c '${show}'`,
  );
  const lines = output.split('\n');
  assert.deepEqual(lines.slice(0, lines.length / 2), lines.slice(lines.length / 2));
  assert.equal(lines.at(-1), '99');
});

test('twenty processes and not one more', { skip: rootOnly }, () => {
  // The shell is the first.
  const script =
    'i=1; while [ $i -lt 20 ]; do sleep 20 & i=$((i+1)); done; echo twenty; sleep 20 & echo more';
  const ended = harness.run(['--pids-limit', '20'], script);
  assert.equal(ended.stdout, 'twenty\n', ended.stderr);
  assert.match(ended.stderr, /can't fork: Resource temporarily unavailable/);
  assert.equal(harness.run(['--pids-limit', '21'], script).stdout, 'twenty\nmore\n');
});

test('a limit of memory kills, with its reason', { skip: rootOnly }, () => {
  const ended = harness.run(['--memory', '64m', '--memory-swap', '64m'], 'exec tail /dev/zero');
  assert.equal(ended.code, 137);
  assert.match(ended.stderr, /out of memory \(limit 64 MiB\)/);
  assert.equal(
    harness.run(['--memory', '64m'], 'head -c 1000000 /dev/zero | tail -c 1 | wc -c').stdout,
    '1\n',
  );
});

test("a parent's limit binds below a looser one", { skip: rootOnly }, () => {
  mkdirSync(`${directory('pids')}/tight`, { recursive: true });
  writeFileSync(`${directory('pids')}/tight/pids.max`, '5');
  const script = 'i=1; while [ $i -lt 9 ]; do sleep 20 & i=$((i+1)); echo $i; done';
  const parent = ['--cgroup-parent', `/${harness.cgroup}/tight`];
  const ended = harness.run([...parent, '--pids-limit', '100'], script);
  assert.equal(ended.stdout.trim().split('\n').at(-1), '5', ended.stderr);
  assert.match(ended.stderr, /can't fork/);
  const loose = harness.run(['--pids-limit', '100'], script);
  assert.equal(loose.stdout.trim().split('\n').at(-1), '9', loose.stderr);
  for (const controller of UNIFIED ? [''] : readdirSync('/sys/fs/cgroup')) {
    if (existsSync(`${directory(controller)}/tight`)) rmdirSync(`${directory(controller)}/tight`);
  }
});

/** Nanoseconds of CPU time that a cgroup has had. */
function cpuTime(name: string): number {
  if (!UNIFIED) return Number(limit(name, 'cpuacct', 'cpuacct.usage', ''));
  return 1000 * Number(/usage_usec (\d+)/.exec(limit(name, 'cpu', '', 'cpu.stat'))?.[1]);
}

const BUSY = 'echo ready; while :; do :; done';

/** CPU time in nanoseconds of busy containers over `seconds`, in the order of their flags. */
async function shares(flags: readonly (readonly string[])[], seconds: number): Promise<number[]> {
  // A parent that is not there before is taken away with the last container below it.
  for (const controller of ['cpu', 'pids', 'cpuacct']) mkdirSync(directory(controller), { recursive: true });
  // Much for all of them together, so that what else runs here takes little of the core.
  writeFileSync(`${directory('cpu')}/${UNIFIED ? 'cpu.weight' : 'cpu.shares'}`, UNIFIED ? '10000' : '262144');
  const started = flags.map((own) => harness.start(harness.runArguments(own, BUSY)));
  for (const each of started) await each.untilPrinted('ready');
  const names = readdirSync(directory('pids')).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
  const rank = (name: string) => Number(limit(name, 'cpu', 'cpu.shares', 'cpu.weight'));
  names.sort((a, b) => rank(b) - rank(a));
  const before = names.map(cpuTime);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const used = names.map((name, index) => cpuTime(name) - (before[index] ?? 0));
  for (const each of started) each.kill('SIGTERM');
  await Promise.all(
    started.map(async (each) => {
      each.kill('SIGKILL');
      await each.end();
    }),
  );
  harness.caisson(['system', 'repair']);
  return used;
}

test('two containers share a busy core as their weights say, and one alone has all of it', {
  skip: rootOnly,
}, async () => {
  harness.output([], 'true');
  const pinned = ['--cpuset-cpus', '0', '--cpu-shares'];
  const [more = 0, less = 1] = await shares(
    [
      [...pinned, '1024'],
      [...pinned, '512'],
    ],
    2,
  );
  const ratio = more / less;
  assert.ok(ratio > 1.8 && ratio < 2.2, `${more} : ${less} is ${ratio.toFixed(2)}`);
  const [alone = 0] = await shares([[...pinned, '512']], 1);
  assert.ok(alone > 0.85e9, `${alone / 1e9} of a core`);
});

test('a quota is a cap also when the host is idle', { skip: rootOnly }, async () => {
  harness.output([], 'true');
  const [used = 0] = await shares([['--cpus', '0.25']], 1);
  assert.ok(used > 0.15e9 && used < 0.32e9, `${used / 1e9} of a core`);
});

test('limits without a delegated cgroup are not silently left out', {
  skip: skip || (!rootless && 'the round as a user'),
}, () => {
  const ended = harness.run(['--memory', '64m'], 'echo ran');
  if (ended.code === 0) assert.match(ended.stderr, /memory.*not limited|cgroup/);
  else assert.match(ended.stderr, /--memory/);
});
