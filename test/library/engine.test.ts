// `Engine`: containers that stay, images and volumes from a program, as the command line has them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CaissonError, Engine, type EngineEvent, type LogRecord } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const flags = { rootfs: harness.rootfs, cgroupParent: `/${harness.cgroup}` };
const open = () => Engine.open({ dataRoot: `${harness.directory}/data`, stateRoot: harness.state });
const code = (expected: string) => (error: unknown) =>
  error instanceof CaissonError && error.code === expected;

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) found.push(one);
  return found;
}

test('a container from its creation to its end', { skip }, async () => {
  const engine = await open();
  const since = new Date(Date.now() - 1000);
  const container = await engine.containers.create({
    command: ['sh', '-c', 'echo out $GREETING; echo err >&2; exit 3'],
    name: 'one',
    env: { GREETING: 'grüße' },
    labels: { a: 'b' },
    flags,
  });
  assert.deepEqual([await container.name(), await container.status()], ['one', 'created']);
  await assert.rejects(
    engine.containers.create({ command: ['true'], name: 'one', flags }),
    code('ECONFLICT'),
  );
  await container.start();
  const { exitCode, signal, oom } = await container.wait();
  assert.deepEqual([exitCode, signal, oom], [3, 0, false]);
  const logs: LogRecord[] = await all(container.logs());
  const written = logs.map(({ stream, text }) => `${stream} ${text}`).sort();
  assert.deepEqual(written, ['stderr err\n', 'stdout out grüße\n']);
  const [listed] = await engine.containers.list({ all: true, filters: ['label=a=b'] });
  assert.deepEqual([listed?.id, listed?.status], [container.id, 'exited']);
  const again = await engine.containers.get('one');
  assert.equal(again.id, container.id);
  await container.remove();
  await assert.rejects(container.start(), code('ENOTFOUND'));
  const events: EngineEvent[] = await all(engine.events({ since, until: new Date() }));
  const actions = events.filter(({ id }) => id === container.id).map(({ action }) => action);
  for (const action of ['create', 'start', 'die', 'destroy']) assert.ok(actions.includes(action), action);
});

test('exec, top, stats, pause and stop of one that runs', { skip }, async () => {
  const engine = await open();
  const container = await engine.containers.run({ command: ['sleep', '1000'], flags });
  try {
    const pieces: string[] = [];
    const result = await container.exec(['sh', '-c', 'echo $A; pwd; echo e >&2; exit 4'], {
      env: { A: 'ä' },
      workdir: '/tmp',
      onOutput: ({ stream }) => pieces.push(stream),
    });
    assert.deepEqual(result, { exitCode: 4, stdout: 'ä\n/tmp\n', stderr: 'e\n', truncated: false });
    assert.deepEqual([...new Set(pieces)].sort(), ['stderr', 'stdout']);
    await assert.rejects(container.exec(['nothing-of-that-name']), (error) => {
      return error instanceof CaissonError && error.exitCode === 127;
    });
    const stop = AbortSignal.timeout(300);
    await assert.rejects(container.exec(['sleep', '1000'], { signal: stop }), { name: 'TimeoutError' });
    const { titles, processes } = await container.top(['-o', 'pid,args']);
    assert.deepEqual([titles.length, processes[0]?.[1]], [2, 'sleep 1000']);
    for await (const usage of container.stats({ interval: 50 })) {
      assert.equal(usage.id, container.id);
      break;
    }
    await container.pause();
    assert.equal(await container.status(), 'paused');
    await container.unpause();
    await assert.rejects(container.remove(), code('ECONFLICT'));
    await container.stop({ timeout: 0 });
    assert.equal((await container.wait()).exitCode, 137);
    const followed = await all(container.logs({ follow: true }));
    assert.deepEqual(followed, []);
  } finally {
    await container.remove({ force: true });
  }
});

test('capacity: of several starts in one program as many are let in as fit', { skip }, async () => {
  const engine = await open();
  const before = await engine.capacity();
  assert.equal(before.units.free, Math.floor(1024 * before.cpus));
  const cpuUnits = String(Math.floor(before.units.total / 2));
  const start = (name: string) =>
    engine.containers.run({ command: ['sleep', '100'], name, flags: { ...flags, cpuUnits } });
  const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map(start));
  const refused = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  assert.equal(refused.length, 2);
  assert.ok(refused.every(code('ECAPACITY')), String(refused[0]));
  const { units, holders } = await engine.capacity();
  assert.deepEqual([units.reserved, holders.length], [2 * Number(cpuUnits), 2]);
  for (const name of ['a', 'b', 'c', 'd']) await (await engine.containers.get(name)).remove({ force: true });
  assert.equal((await engine.capacity()).units.reserved, 0);
});

test('volumes and an image', { skip }, async () => {
  const engine = await open();
  await engine.volumes.create('data', { labels: { kind: 'test' } });
  assert.deepEqual(
    (await engine.volumes.list()).map(({ name, labels }) => [name, labels]),
    [['data', { kind: 'test' }]],
  );
  assert.match((await engine.volumes.inspect('data')).mountpoint, /\/volumes\/data\/_data$/);
  await engine.volumes.remove('data');
  await assert.rejects(engine.volumes.inspect('data'), code('ENOTFOUND'));
  assert.deepEqual(await engine.images.list(), []);
  await assert.rejects(engine.images.inspect('absent'), code('ENOTFOUND'));
});
