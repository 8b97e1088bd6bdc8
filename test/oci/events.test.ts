// events: statistics once and again and again, out of memory, and the end of both.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const MIB = 1 << 20;

interface Statistics {
  readonly type: string;
  readonly id: string;
  readonly data: {
    readonly cpu: { readonly usage: { readonly total: number; readonly kernel: number } };
    readonly memory: { readonly usage: { readonly limit: number; readonly usage: number } };
    readonly pids: { readonly current: number; readonly limit?: number };
    readonly blkio: object;
    readonly hugetlb: object;
    readonly intel_rdt: object;
    readonly network_interfaces: null;
  };
}

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  function start(resources: object, script: string): string {
    const id = harness.newId();
    const { linux } = harness.configuration({}, 'true') as { linux: object };
    const bundle = harness.bundle({ linux: { ...linux, resources } }, script);
    harness.succeed(['run', '-d', '-b', bundle, id]);
    return id;
  }

  test(`${name}: statistics once, in runc's words`, { skip }, () => {
    const limits = { memory: { limit: 64 * MIB }, pids: { limit: 9 } };
    const id = start(limits, 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exec sleep 1000');
    const { stdout } = harness.succeed(['events', '--stats', id]);
    assert.ok(stdout.startsWith(`{"type":"stats","id":"${id}","data":{"cpu":{"usage":{`), stdout);
    const { data } = JSON.parse(stdout) as Statistics;
    assert.deepEqual(Object.keys(data), [
      ...['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'intel_rdt', 'network_interfaces'],
    ]);
    assert.ok(data.cpu.usage.total > 100_000, stdout);
    assert.equal(data.memory.usage.limit, 64 * MIB);
    assert.ok(data.memory.usage.usage > 4096);
    assert.deepEqual(data.pids, { current: 1, limit: 9 });
    harness.succeed(['delete', '--force', id]);
    const gone = harness.call(['events', '--stats', id]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /container does not exist/);
  });

  test(`${name}: statistics at an interval, until the container has ended`, { skip }, async () => {
    const id = start({}, 'exec sleep 1000');
    const events = harness.start(['oci', 'events', '--interval', '50ms', id]);
    await events.until(() => events.stdout.split('\n').length > 4, 'three events');
    harness.succeed(['kill', id, 'KILL']);
    assert.equal((await events.end()).code, 0);
    for (const line of events.stdout.trim().split('\n'))
      assert.equal((JSON.parse(line) as Statistics).id, id, line);
    const stopped = harness.call(['events', id]);
    assert.equal(stopped.code, 1);
    assert.match(stopped.stderr, new RegExp(`container with id ${id} is not running`));
    harness.succeed(['delete', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: an event for every process that the kernel kills for want of memory`, { skip }, async () => {
    const memory = { limit: 16 * MIB, swap: 16 * MIB };
    const hog = 'read line < /tmp/go; x=$(head -c 64m /dev/zero | tr "\\0" x); exec sleep 1000';
    const id = start({ memory }, `mkfifo /tmp/go; (${hog}) & exec sleep 1000`);
    const events = harness.start(['oci', 'events', '--interval', '50ms', id]);
    await events.untilPrinted('"stats"');
    assert.ok(!events.stdout.includes('"oom"'));
    harness.succeed(['exec', id, 'sh', '-c', 'echo go > /tmp/go']);
    await events.untilPrinted(`{"type":"oom","id":"${id}"}\n`);
    assert.equal(harness.stateOf(id).status, 'running');
    harness.succeed(['delete', '--force', id]);
    assert.equal((await events.end()).code, 0);
  });
}
