// Containers that stay: created, started, stopped, killed, waited for, restarted, removed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootOnly, rounds, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

test('a detached container lives on, and its end is known', { skip }, async () => {
  const name = box.detached([], 'echo out; echo err >&2; sleep 0.3; exit 3');
  assert.equal(box.output(['wait', name]), '3');
  const entries = box
    .log(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });
  assert.deepEqual(entries.map(({ log, stream }) => [log, stream]).sort(), [
    ['err\n', 'stderr'],
    ['out\n', 'stdout'],
  ]);
  for (const { time } of entries) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  assert.deepEqual(box.monitors(), []);
  assert.equal(existsSync(`${box.harness.state}/${box.id(name)}`), false, 'nothing of the run is left');
  assert.equal(box.output(['rm', name]), name);
  box.clear();
});

test('create, start, start again, restart, with the changes of the runs before', { skip }, () => {
  const upper = [
    '--name',
    'kept',
    'host',
    'sh',
    '-c',
    'cat /var/tmp/mark 2>/dev/null; echo x >> /var/tmp/mark',
  ];
  const id = box.output(['create', ...upper]);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(box.output(['start', '-a', 'kept']), '');
  assert.equal(box.output(['start', '-a', id.slice(0, 12)]), 'x');
  assert.equal(box.output(['start', '-a', id]), 'x\nx');
  assert.equal(existsSync('/var/tmp/mark'), false, "the host's own files are as they were");
  failed(box.call(['create', ...upper]), 125, /The container name "\/kept" is already in use by container/);
  box.output(['rm', 'kept']);
  assert.equal(box.call(['start', 'kept']).code, 1);
  box.clear();
});

test('an attached container that stays: output, input, exit code', { skip }, () => {
  const ended = box.call(
    ['run', '--rm=false', '--name', 'front', '-i', 'host', 'sh', '-c', 'cat; echo e >&2; exit 5'],
    {
      input: 'typed\n',
    },
  );
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [5, 'typed\n', 'e\n']);
  assert.equal(box.disk('front').exited?.code, 5);
  box.clear();
});

test('stop: the signal, then SIGKILL; kill; exit codes of signals', { skip }, () => {
  const polite = box.detached([], 'trap "exit 9" TERM; while :; do sleep 0.05; done');
  box.output(['stop', polite]);
  assert.equal(box.output(['wait', polite]), '9');
  const rude = box.detached([], 'trap "" TERM; while :; do sleep 0.05; done');
  const begun = Date.now();
  box.output(['stop', '-t', '1', rude]);
  assert.ok(Date.now() - begun >= 1000);
  assert.equal(box.output(['wait', rude]), '137');
  const signalled = box.detached(
    ['--stop-signal', 'USR1'],
    'trap "exit 4" USR1; while :; do sleep 0.05; done',
  );
  box.output(['stop', signalled]);
  assert.equal(box.output(['wait', signalled]), '4');
  const killed = box.detached([], 'sleep 100');
  box.output(['kill', killed]);
  assert.deepEqual([box.disk(killed).exited?.code, box.disk(killed).exited?.signal], [137, 9]);
  failed(box.call(['kill', killed]), 1, /cannot kill container: .*is not running/);
  assert.equal(box.output(['stop', killed]), killed, 'stop of what has stopped is no error');
  box.clear();
});

test('pause and unpause; neither exec nor a second pause meanwhile', { skip: rootOnly }, () => {
  const name = box.detached([], 'sleep 100');
  box.output(['pause', name]);
  failed(box.call(['pause', name]), 1, /already paused/);
  failed(box.call(['exec', name, 'true']), 1, /is paused, unpause the container before exec/);
  box.output(['unpause', name]);
  failed(box.call(['unpause', name]), 1, /is not paused/);
  assert.equal(box.output(['exec', name, 'echo', 'on']), 'on');
  box.output(['pause', name]);
  box.output(['rm', '-f', name]);
  box.clear();
});

test('rm: not while it runs; --force; -v of nothing; --rm of a detached one', { skip }, async () => {
  const name = box.detached([], 'sleep 100');
  failed(
    box.call(['rm', name]),
    1,
    /container is running: stop the container before removing or force remove/,
  );
  assert.equal(box.output(['rm', '-f', name]), name);
  assert.equal(box.call(['rm', '-f', 'nobody']).code, 0);
  failed(box.call(['rm', 'nobody']), 1, /No such container: nobody/);
  const stopped = box.detached(['--rm'], 'sleep 100');
  box.output(['stop', '-t', '0', stopped]);
  box.detached(['--rm'], 'true');
  const containers = `${box.dataRoot}/containers`;
  await box.until(() => box.call(['wait', 'box-of-nobody']).code === 1 && isEmpty(containers), 'the removal');
  box.clear();
});

function isEmpty(path: string): boolean {
  try {
    box.assertNoPlaces();
    return true;
  } catch {
    return !existsSync(path);
  }
}

test('several at once: each is told, a failure does not keep the others from it', { skip }, () => {
  const [a, b] = [box.detached([], 'sleep 100'), box.detached([], 'sleep 100')];
  const { code, stdout, stderr } = box.call(['kill', a, 'nobody', b]);
  assert.equal(code, 1);
  assert.equal(stdout, `${a}\n${b}\n`);
  assert.match(stderr, /No such container: nobody/);
  box.clear();
});

test('restart policies: on-failure with a maximum, always, and never after a stop', { skip }, async () => {
  const failing = box.detached(['--restart', 'on-failure:2'], 'exit 1');
  await box.until(() => box.disk(failing).exited?.run === 3, 'three runs');
  assert.equal(box.disk(failing).run?.restarts, 2);
  const fine = box.detached(['--restart', 'on-failure'], 'exit 0');
  assert.equal(box.output(['wait', fine]), '0');
  assert.equal(box.disk(fine).run?.number, 1);
  const always = box.detached(['--restart', 'always'], 'sleep 0.1');
  await box.until(() => (box.disk(always).run?.number ?? 0) >= 3, 'another run');
  box.output(['stop', '-t', '0', always]);
  const { number } = box.disk(always).run ?? { number: 0 };
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(box.disk(always).run?.number, number, 'it stays stopped');
  const again = box.detached(['--restart', 'always'], 'exit 1');
  await box.until(() => (box.disk(again).run?.restarts ?? 0) >= 4, 'a delay of more than a second');
  const begun = Date.now();
  box.output(['stop', again]);
  assert.ok(Date.now() - begun < 1500, 'stop does not wait for the delay of a restart');
  const last = box.disk(again).run?.number;
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(box.disk(again).run?.number, last, 'and nothing is started after it');
  failed(box.call(['run', '-d', '--rm', '--restart', 'always', 'host', 'true']), 125, /conflicting options/);
  failed(box.call(['create', '--restart', 'often', 'host', 'true']), 125, /invalid restart policy/);
  box.clear();
});

test('wait does not take the moment between two runs for the end', { skip }, () => {
  for (let round = 0; round < rounds(12, 300); round++) {
    const name = box.detached(['--restart', 'on-failure:1'], 'exit 3');
    assert.equal(box.output(['wait', name]), '3');
    assert.equal(box.disk(name).run?.restarts, 1);
    box.output(['rm', name]);
  }
  box.clear();
});

test('a container that cannot start: its code, and nothing of the run is left', { skip }, () => {
  const missing = box.call(['run', '-d', '--name', 'missing', '--rootfs', box.harness.rootfs, '/no/such']);
  failed(missing, 127, /no such file or directory|not found/);
  assert.equal(box.disk('missing').exited?.code, 127);
  const denied = box.call(['run', '-d', '--name', 'denied', '--rootfs', box.harness.rootfs, '/etc/passwd']);
  assert.equal(denied.code, 126);
  failed(box.call(['run', '-d', '--memory', 'x', 'host', 'true']), 125, /invalid/);
  assert.equal(box.call(['start', 'missing']).code, 1);
  box.clear();
});

test('what the engine keeps of a container holds no descriptor, terminal or directory of the caller', {
  skip: rootOnly,
}, () => {
  const name = box.detached([], 'sleep 100');
  const [monitor = 0] = box.monitors();
  const status = readFileSync(`/proc/${monitor}/status`, 'utf8');
  assert.match(status, /^VmRSS:\s+\d{1,3} kB$/m, 'well below a megabyte');
  const stat = readFileSync(`/proc/${monitor}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  assert.equal(Number(stat[3]), monitor, 'a session of its own');
  box.output(['rm', '-f', name]);
  box.clear();
});
