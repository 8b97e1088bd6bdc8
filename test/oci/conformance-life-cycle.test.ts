// What runtime.md requires of the state and of each operation, one test each: test/conformance names them.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { cgroupFilePath } from './cgroup-files.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  /** A created container, and what takes it away. */
  function created(
    parts: object = {},
    script = 'exec sleep 1000',
  ): { id: string; bundle: string; file: string } {
    const [id, bundle] = [harness.newId(), harness.bundle(parts as never, script)];
    const { file } = harness.succeed(['create', '--bundle', bundle, id]);
    return { id, bundle, file };
  }

  /** Exactly what `state` prints of a container that is then deleted. */
  function stateThen(id: string): Record<string, unknown> {
    const text = harness.succeed(['state', id]).stdout;
    harness.succeed(['delete', '--force', id]);
    return JSON.parse(text) as Record<string, unknown>;
  }

  test(`${name}: the state has the version`, { skip }, () => {
    assert.equal(stateThen(created({ ociVersion: '1.2.1' }).id).ociVersion, '1.2.1');
  });

  test(`${name}: the state has the id`, { skip }, () => {
    const { id } = created();
    assert.equal(stateThen(id).id, id);
  });

  test(`${name}: the state has the status`, { skip }, async () => {
    const { id } = created();
    assert.equal(harness.stateOf(id).status, 'created');
    harness.succeed(['start', id]);
    assert.equal(harness.stateOf(id).status, 'running');
    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    harness.succeed(['delete', id]);
  });

  test(`${name}: the state has the process id`, { skip }, () => {
    const { id } = created();
    harness.succeed(['start', id]);
    const { pid } = stateThen(id);
    assert.ok(typeof pid === 'number' && pid > 1, String(pid));
  });

  test(`${name}: the state has the path of the bundle`, { skip }, () => {
    const { id, bundle } = created();
    assert.equal(stateThen(id).bundle, bundle);
  });

  test(`${name}: the state has the types of the schema`, { skip }, () => {
    const state = stateThen(created({ annotations: { 'org.example': 'x' } }).id);
    const types = ['ociVersion', 'id', 'status', 'pid', 'bundle', 'annotations'].map(
      (key) => typeof state[key],
    );
    assert.deepEqual(types, ['string', 'string', 'string', 'number', 'string', 'object']);
    assert.deepEqual(state.annotations, { 'org.example': 'x' });
  });

  test(`${name}: an id is taken once`, { skip }, () => {
    const { id } = created();
    const { pid } = harness.stateOf(id);
    const again = harness.call(['create', '--bundle', harness.bundle({}), id]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /already exists/);
    assert.equal(stateThen(id).pid, pid, 'the first one is still there');
    harness.assertNothingLeft();
  });

  test(`${name}: an id that is no name is refused`, { skip }, () => {
    const bundle = harness.bundle({});
    for (const id of ['a/b', '..', 'a b']) {
      assert.equal(harness.call(['create', '--bundle', bundle, id]).code, 1, id);
    }
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  for (const command of ['state', 'create', 'start', 'kill', 'delete']) {
    test(`${name}: ${command} without an id is an error`, { skip }, () => {
      const { code, stderr } = harness.call([command]);
      assert.notEqual(code, 0);
      assert.match(stderr, /argument/);
    });
  }

  test(`${name}: the state of no container is an error`, { skip }, () => {
    const { code, stderr } = harness.call(['state', harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /container does not exist/);
  });

  test(`${name}: create makes all but the program`, { skip }, () => {
    const parts = {
      hostname: 'made',
      linux: { resources: { pids: { limit: 77 } } },
      process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 200, hard: 300 }] },
    };
    const { id, file } = created(parts, 'echo ran');
    const { pid } = harness.stateOf(id);
    assert.equal(readFileSync(cgroupFilePath(pid, 'pids.max'), 'utf8'), '77\n');
    assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), / \/ \/proc /);
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files +200 +300/);
    assert.equal(readFileSync(file, 'utf8'), '', 'the program does not run');
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: create without what it is asked for fails, and leaves nothing`, { skip }, () => {
    const mount = { destination: '/data', type: 'bind', source: '/nonexistent', options: ['bind'] };
    const bundle = harness.bundle({ mounts: [mount] });
    const { code, stderr } = harness.call(['create', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /nonexistent/);
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  test(`${name}: a config.json that changes later changes nothing`, { skip }, () => {
    const mark = harness.makeDirectory('mark');
    const { id, bundle } = created();
    const text = readFileSync(`${bundle}/config.json`, 'utf8');
    const hook = { path: '/bin/sh', args: ['sh', '-c', `echo >${mark}/poststart`] };
    const later = { ...(JSON.parse(text) as object), hooks: { poststart: [hook] } };
    writeFileSync(`${bundle}/config.json`, JSON.stringify(later));
    harness.succeed(['start', id]);
    assert.deepEqual(readdirSync(mark), []);
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: start runs the program of the configuration`, { skip }, async () => {
    const { id, file } = created({}, 'echo $((6 * 7))');
    harness.succeed(['start', id]);
    await harness.untilStatus(id, 'stopped');
    assert.equal(readFileSync(file, 'utf8'), '42\n');
    harness.succeed(['delete', id]);
  });

  test(`${name}: start of what runs is refused, and changes nothing`, { skip }, () => {
    const { id } = created();
    harness.succeed(['start', id]);
    const before = harness.stateOf(id);
    assert.equal(harness.call(['start', id]).code, 1);
    assert.deepEqual(harness.stateOf(id), before);
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a configuration without a process cannot be started`, { skip }, () => {
    const bundle = harness.bundle({});
    const { process: _, ...rest } = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as {
      process: unknown;
    };
    writeFileSync(`${bundle}/config.json`, JSON.stringify(rest));
    const { code, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /no process to run/);
    harness.assertNothingLeft();
  });

  test(`${name}: kill sends the signal that is asked for`, { skip }, async () => {
    const { id, file } = created({}, 'trap "echo usr1; exit" USR1; echo ready; while :; do sleep 0.05; done');
    harness.succeed(['start', id]);
    await harness.untilTrue(() => readFileSync(file, 'utf8') === 'ready\n', 'the trap');
    harness.succeed(['kill', id, 'USR1']);
    await harness.untilStatus(id, 'stopped');
    assert.equal(readFileSync(file, 'utf8'), 'ready\nusr1\n');
    harness.succeed(['delete', id]);
  });

  test(`${name}: kill of what has stopped is refused`, { skip }, async () => {
    const { id } = created({}, 'true');
    harness.succeed(['start', id]);
    await harness.untilStatus(id, 'stopped');
    const before = harness.stateOf(id);
    const { code, stderr } = harness.call(['kill', id, 'TERM']);
    assert.equal(code, 1);
    assert.match(stderr, /container not running/);
    assert.deepEqual(harness.stateOf(id), before);
    harness.succeed(['delete', id]);
  });

  test(`${name}: delete of what runs is refused, and it runs on`, { skip }, () => {
    const { id } = created();
    harness.succeed(['start', id]);
    const before = harness.stateOf(id);
    const { code, stderr } = harness.call(['delete', id]);
    assert.equal(code, 1);
    assert.match(stderr, /that is not stopped/);
    assert.deepEqual(harness.stateOf(id), before);
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: delete takes away what create has made`, { skip }, async () => {
    const { id } = created({ linux: { resources: { pids: { limit: 77 } } } }, 'true');
    const file = cgroupFilePath(harness.stateOf(id).pid, 'pids.max');
    assert.ok(existsSync(file));
    harness.succeed(['start', id]);
    await harness.untilStatus(id, 'stopped');
    harness.succeed(['delete', id]);
    assert.ok(!existsSync(file));
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  test(`${name}: delete leaves what create has not made`, { skip }, () => {
    const source = harness.makeDirectory('data');
    writeFileSync(`${source}/file`, 'kept');
    const mount = { destination: '/data', type: 'bind', source, options: ['bind'] };
    const { id, bundle } = created({
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, mount],
    });
    harness.succeed(['delete', '--force', id]);
    assert.equal(readFileSync(`${source}/file`, 'utf8'), 'kept');
    assert.ok(existsSync(`${bundle}/config.json`) && existsSync(`${harness.rootfs}/bin/sh`));
  });

  test(`${name}: a bundle without config.json is refused`, { skip }, () => {
    const bundle = harness.makeDirectory('bundle');
    writeFileSync(`${bundle}/configuration.json`, readFileSync(`${harness.bundle({})}/config.json`));
    mkdirSync(`${bundle}/below`);
    writeFileSync(`${bundle}/below/config.json`, readFileSync(`${harness.bundle({})}/config.json`));
    const { code, stderr } = harness.call(['create', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /config\.json/);
  });

  test(`${name}: a root that is not there is refused`, { skip }, () => {
    const bundle = harness.bundle({ root: { path: '/nonexistent' } });
    const { code, stderr } = harness.call(['create', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /nonexistent|root/);
    harness.assertNothingLeft();
  });
}
