// `caisson cgroup ls`, `move` and `inspect` on this kernel's cgroups.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, type Started, rootOnly as skip, succeeded } from '../harness/caisson.ts';
import { hostCgroups } from './cgroup-play.ts';

const harness = new Harness();
const started: Started[] = [];
const sleepers: ChildProcess[] = [];
after(async () => {
  for (const run of started) run.kill('SIGTERM');
  await Promise.all(started.map((run) => run.end()));
  for (const sleeper of sleepers) sleeper.kill('SIGKILL');
  harness.close();
});

/** A container that has started; SIGTERM ends it. */
async function container(flags: readonly string[]): Promise<Started> {
  const run = harness.start(
    harness.runArguments(['--rm', ...flags], 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'),
  );
  started.push(run);
  await run.untilPrinted('up');
  return run;
}

function sleeper(): number {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  sleepers.push(child);
  return child.pid ?? 0;
}

interface Inspected {
  readonly pid: number;
  readonly hierarchies: readonly {
    readonly version: number;
    readonly path: string;
    readonly directory: string | null;
  }[];
  readonly limits: readonly {
    readonly quantity: string;
    readonly value: number | null;
    readonly own: number | null;
    readonly directory: string | null;
  }[];
}

function inspect(target: string | number): Inspected {
  return JSON.parse(succeeded(harness.caisson(['cgroup', 'inspect', '--json', String(target)]))) as Inspected;
}

test('ls has the container with its processes and limits', { skip }, async () => {
  assert.equal(succeeded(harness.caisson(['cgroup', 'ls'])).split('\n').length, 1, 'only the head');
  await container(['--name', 'listed', '--memory', '64m', '--pids-limit', '20', '--cpus', '1.5']);
  const line = succeeded(harness.caisson(['cgroup', 'ls'])).split('\n')[1] ?? '';
  assert.match(line, /^listed\s+\/caisson-test-\d+\/[0-9a-f]{64}\s+[12]\s+64 MiB\s+20\s+1\.5 CPUs$/);
  const all = succeeded(harness.caisson(['cgroup', 'ls', '--all']));
  assert.match(all, /^\/ +\d+ /m);
  assert.match(all, /^\/caisson-test-\d+\/[0-9a-f]{64} +[12] /m);
});

test('inspect says in which hierarchies a process is, and which limit holds', { skip }, () => {
  const { hierarchies, limits } = inspect('listed');
  assert.equal(hierarchies.length, hostCgroups().hierarchies.length);
  for (const { path, directory } of hierarchies) {
    assert.match(path, /^\/caisson-test-\d+\/[0-9a-f]{64}$/);
    assert.ok(existsSync(directory ?? ''), `${directory} is there`);
  }
  const memory = limits.find(({ quantity }) => quantity === 'memory');
  assert.equal(memory?.value, 64 << 20);
  assert.equal(memory?.directory?.endsWith(hierarchies[0]?.path ?? '?'), true);
  assert.match(
    succeeded(harness.caisson(['cgroup', 'inspect', 'listed'])),
    /memory +64 MiB +\/sys\/fs\/cgroup\S* +64 MiB/,
  );
});

test('a tighter limit of an ancestor holds', { skip }, async () => {
  const parent = `/${harness.cgroup}/tight`;
  const memory = hostCgroups().hierarchies.find(({ controllers }) => controllers.includes('memory'));
  assert.ok(memory !== undefined, 'a memory controller');
  const directory = `${memory.mountPoint}${parent}`;
  const file = `${directory}/${memory.version === 1 ? 'memory.limit_in_bytes' : 'memory.max'}`;
  mkdirSync(directory);
  try {
    writeFileSync(file, String(48 << 20));
    const run = await container(['--name', 'below', '--memory', '64m', '--cgroup-parent', parent]);
    const limit = inspect('below').limits.find(({ quantity }) => quantity === 'memory');
    assert.deepEqual(limit, { quantity: 'memory', value: 48 << 20, directory, own: 64 << 20 });
    run.kill('SIGTERM');
    await run.end();
  } finally {
    for (const { mountPoint } of hostCgroups().hierarchies)
      if (existsSync(mountPoint + parent)) rmdirSync(mountPoint + parent);
  }
});

test('move: a process of the host into a container, then back by path', { skip }, () => {
  const pid = sleeper();
  const [target] = inspect('listed').hierarchies;
  assert.match(
    succeeded(harness.caisson(['cgroup', 'move', String(pid), 'listed'])),
    /^moved process \d+ to \/caisson-test-\d+\/[0-9a-f]{64} \(/,
  );
  for (const { path } of inspect(pid).hierarchies) assert.equal(path, target?.path);
  assert.match(succeeded(harness.caisson(['cgroup', 'ls'])), /^listed .* [23] +64 MiB/m);
  succeeded(harness.caisson(['cgroup', 'move', String(pid), '/']));
  for (const { path } of inspect(pid).hierarchies) assert.equal(path, '/');
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /:\/$/m);
});

test('what is not there is told', { skip }, () => {
  const refused = (...args: string[]) => {
    const { code, stderr } = harness.caisson(['cgroup', ...args]);
    assert.equal(code, 125);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
    return stderr;
  };
  assert.match(refused('inspect', 'nobody'), /no container of the id or name "nobody" runs/);
  assert.match(refused('inspect', '4194304'), /no process 4194304/);
  assert.match(refused('move', String(process.pid), '/caisson-test-nowhere'), /no hierarchy has the cgroup/);
  assert.match(refused('move', '4194304', '/'), /no process 4194304/);
  assert.match(refused('move', String(process.pid), '/caisson/../..'), /\.\./);
});
