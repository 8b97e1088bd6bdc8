// Admission: CPU units and memory are reserved by containers that live, and by nobody else.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import type { CallOptions } from '../harness/caisson.ts';
import { Containers, failed, rootOnly } from './containers.ts';

const box = new Containers();
after(() => box.close());

/** Every command may use one core alone: 1024 units. */
const ONE_CORE: CallOptions = { prefix: ['taskset', '-c', '0'] };
const free = (): number =>
  Number(box.output(['system', 'capacity', '--format', '{{.Units.Free}}'], ONE_CORE));
const holders = (): string =>
  box
    .output(['system', 'capacity', '--format', '{{range .Holders}}{{.Name}}={{.Units}} {{end}}'], ONE_CORE)
    .trim();
const run = (name: string, flags: readonly string[], ...command: string[]) =>
  box.call(
    ['run', '--name', name, ...flags, 'host', ...(command.length === 0 ? ['sleep', '100'] : command)],
    ONE_CORE,
  );

/** A container that is to fit. */
function detached(name: string, units: number, ...flags: string[]): void {
  const ended = run(name, ['-d', '--cpu-units', String(units), ...flags]);
  assert.equal(ended.code, 0, ended.stderr);
}

test('a container that does not fit is refused with the arithmetic shown', { skip: rootOnly }, () => {
  detached('first', 768);
  for (const flags of [['--rm'], ['-d'], ['--rm=false']]) {
    const ended = run('second', [...flags, '--cpu-units', '512'], 'true');
    failed(
      ended,
      125,
      /^caisson: .*: it needs 512 of 1024 units, 256 free on 1 core\n {2}caused by --cpu-units 512\n/,
    );
    assert.match(ended.stderr, /first holds 768 units/);
    if (flags[0] !== '--rm') box.output(['rm', 'second']);
  }
  assert.equal(holders(), 'first=768');
  detached('third', 256);
  assert.equal(free(), 0);
  box.output(['rm', '-f', 'first', 'third']);
  assert.equal(free(), 1024);
  box.clear();
});

test('created ones hold nothing; start asks; memory, too', { skip: rootOnly }, () => {
  const create = (name: string, ...flags: string[]) =>
    box.output(['create', '--name', name, ...flags, 'host', 'sleep', '100'], ONE_CORE);
  create('one', '--cpu-units', '1024', '--memory-reservation', '16m');
  create('two', '--cpu-units', '2');
  create('three', '--memory-reservation', '8000g');
  assert.equal(holders(), '');
  box.output(['start', 'one'], ONE_CORE);
  assert.equal(holders(), 'one=1024');
  failed(box.call(['start', 'two'], ONE_CORE), 1, /needs 2 of 1024 units, 0 free on 1 core/);
  assert.equal(box.disk('two').exited?.code, 125, 'as any start that fails');
  failed(box.call(['start', 'three'], ONE_CORE), 1, /needs 7.81 TiB of .* of memory, .* free/);
  box.output(['kill', 'one']);
  box.output(['start', 'two'], ONE_CORE);
  assert.equal(holders(), 'two=2');
  box.output(['rm', '-f', 'one', 'two', 'three']);
  box.clear();
});

test('what is held goes with the container, whoever or whatever ends it', { skip: rootOnly }, async () => {
  detached('ends', 1024, '--stop-timeout', '0');
  box.output(['stop', 'ends']);
  assert.equal(free(), 1024);
  box.output(['start', 'ends'], ONE_CORE);
  assert.equal(free(), 0);
  box.output(['restart', 'ends'], ONE_CORE);
  assert.equal(free(), 0, 'a restart needs what it has');
  box.output(['pause', 'ends']);
  assert.equal(free(), 0, 'a paused one holds it');
  // Monitor and container at once: nobody has settled anything.
  const [monitor = 0] = box.monitors();
  process.kill(monitor, 'SIGKILL');
  process.kill(box.init('ends'), 'SIGKILL');
  await box.until(() => free() === 1024, 'its end');
  detached('next', 1024);
  const [second = 0] = box.monitors();
  process.kill(second, 'SIGKILL');
  await box.until(() => box.monitors().length === 0, 'the end of the monitor');
  assert.equal(free(), 0, 'without its monitor it lives on');
  box.output(['rm', '-f', 'next', 'ends']);
  const bound = box.harness.start(
    ['run', '--rm', '--cpu-units', '1000', ...['host', 'sleep', '100']],
    ONE_CORE,
  );
  await box.until(() => free() === 24, 'its start');
  bound.kill('SIGKILL');
  await box.until(() => free() === 1024, 'its end');
  await bound.end();
  box.output(['system', 'repair']);
  box.clear();
});

test('of many starts at once as many are let in as fit', { skip: rootOnly }, async () => {
  for (const flags of [['-d'], ['--rm']]) {
    const starts = Array.from({ length: 8 }, (_, index) =>
      box.harness.start(
        [
          'run',
          '--name',
          `rival-${index}`,
          ...flags,
          '--cpu-units',
          '300',
          'host',
          'sleep',
          flags[0] === '-d' ? '100' : '3',
        ],
        { ...ONE_CORE, env: { CAISSON_DATA_ROOT: box.dataRoot } },
      ),
    );
    const codes = (await Promise.all(starts.map((each) => each.end()))).map(({ code }) => code);
    assert.deepEqual(codes.sort(), [0, 0, 0, 125, 125, 125, 125, 125], flags.join());
    assert.equal(free(), flags[0] === '-d' ? 124 : 1024);
    if (flags[0] === '-d') box.clear();
  }
  assert.equal(existsSync(`${box.harness.state}/.capacity`), false, 'no lock is left');
  box.clear();
});

test('a restart that does not fit is a start that failed', { skip: rootOnly }, async () => {
  const script = 'test -e /var/tmp/again && sleep 100; touch /var/tmp/again; sleep 0.3';
  const ended = run('policy', ['-d', '--restart', 'always', '--cpu-units', '600'], 'sh', '-c', script);
  assert.equal(ended.code, 0, ended.stderr);
  // It ends, and before its delay is over somebody else has come.
  await box.until(() => {
    if (run('taker', ['-d', '--cpu-units', '600']).code === 0) return true;
    box.call(['rm', '-f', 'taker']);
    return false;
  }, 'its end');
  const last = () =>
    box.output(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}', 'policy']);
  await box.until(() => last().startsWith('exited 125'), 'the failed restart');
  assert.match(last(), /^exited 125 .*needs 600 of 1024 units, 424 free on 1 core/);
  box.output(['rm', '-f', 'policy', 'taker']);
  box.clear();
});

test('units are the weight, and update changes both', { skip: rootOnly }, () => {
  detached('weighed', 512);
  const weight = () =>
    box.output([
      'exec',
      'weighed',
      'sh',
      '-c',
      'cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu.weight 2>/dev/null; true',
    ]);
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  assert.equal(weight(), v2 ? '59' : '512');
  box.output(['update', '--cpu-units', '1000', 'weighed'], ONE_CORE);
  assert.equal(holders(), 'weighed=1000');
  if (!v2) assert.equal(weight(), '1000');
  detached('other', 24);
  failed(
    box.call(['update', '--cpu-units', '1001', 'weighed'], ONE_CORE),
    1,
    /needs 1001 of 1024 units, 1000 free/,
  );
  assert.equal(holders().split(' ').sort().join(' '), 'other=24 weighed=1000');
  box.output(['rm', '-f', 'weighed', 'other']);
  failed(
    run('both', ['--rm', '--cpu-units', '5', '--cpu-shares', '5'], 'true'),
    125,
    /--cpu-units 5 and --cpu-shares 5/,
  );
  box.clear();
});

test('the capacity is what caisson itself may use', { skip: rootOnly }, () => {
  const shown = JSON.parse(box.output(['system', 'capacity', '--format', 'json'], ONE_CORE)) as {
    readonly CPUs: number;
    readonly Units: { readonly Total: number };
    readonly Memory: { readonly Total: number; readonly Free: number };
  };
  assert.deepEqual([shown.CPUs, shown.Units.Total], [1, 1024]);
  const machine = Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
  assert.ok(
    shown.Memory.Total <= machine && shown.Memory.Total > 0 && shown.Memory.Free === shown.Memory.Total,
  );
  assert.match(box.output(['system', 'capacity'], ONE_CORE), /^CPU units \(1 core\) +1024 +0 +1024$/m);
  const hierarchy = '/sys/fs/cgroup/cpu';
  if (!existsSync(`${hierarchy}/cpu.cfs_quota_us`) && !existsSync(`${hierarchy}/tasks`)) return;
  const half = `${hierarchy}/caisson-half-${process.pid}`;
  mkdirSync(half);
  try {
    writeFileSync(`${half}/cpu.cfs_quota_us`, '50000');
    const prefix = ['/bin/sh', '-c', `echo $$ > ${half}/tasks; exec "$@"`, 'sh'];
    const total = box.output(['system', 'capacity', '--format', '{{.CPUs}} {{.Units.Total}}'], { prefix });
    assert.equal(total, '0.5 512');
    const refused = box.call(['run', '--rm', '--cpu-units', '600', 'host', 'true'], { prefix });
    failed(refused, 125, /needs 600 of 512 units, 512 free on 0.5 cores/);
  } finally {
    rmdirSync(half);
  }
  box.clear();
});
