// What dies, and what is true afterwards: monitors, commands, everything at once, the machine; many commands at a time.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootless, rootOnly, rounds, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

/** Whether a process is there and no zombie. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('F02: the monitor is killed: the container is adopted, and nobody invents its exit code', {
  skip,
}, async () => {
  const name = box.detached([], 'sleep 100');
  const [monitor = 0] = box.monitors();
  const init = box.init(name);
  process.kill(monitor, 'SIGKILL');
  await box.until(() => !lives(monitor), 'the end of the monitor');
  if (rootless) {
    // Without a cgroup it dies with its monitor.
    await box.until(() => !lives(init), 'the end of the container');
    assert.equal(box.output(['wait', name]), '-1', 'unknown');
    box.output(['rm', name]);
    box.clear();
    return;
  }
  assert.ok(lives(init), 'the container lives');
  assert.equal(box.output(['exec', name, 'echo', 'still']), 'still');
  failed(box.call(['rm', name]), 1, /container is running/);
  box.output(['stop', '-t', '0', name]);
  assert.equal(box.output(['wait', name]), '-1', 'unknown');
  assert.equal(box.disk(name).exited?.code, -1);
  box.output(['start', name]);
  box.output(['rm', '-f', name]);
  box.clear();
});

test('monitor and container are killed together: shown as ended, startable, removable', {
  skip,
}, async () => {
  const name = box.detached([], 'sleep 100');
  const [monitor = 0] = box.monitors();
  const init = box.init(name);
  process.kill(monitor, 'SIGKILL');
  process.kill(init, 'SIGKILL');
  await box.until(() => !lives(init) && !lives(monitor), 'their end');
  assert.equal(box.output(['wait', name]), '-1');
  box.output(['start', name]);
  assert.ok(lives(box.init(name)));
  box.output(['rm', '-f', name]);
  box.clear();
});

test('the command of an exit is killed before it has settled: the next one does it', { skip }, async () => {
  const name = box.detached([], 'exit 7');
  assert.equal(box.output(['wait', name]), '7');
  const { place } = box.disk(name);
  // As if it had never come so far.
  rmSync(`${place}/exited.json`);
  assert.equal(box.output(['wait', name]), '7');
  box.output(['rm', name]);
  box.clear();
});

test('F01: a first start is killed before it has noted the run: the container starts, and goes', {
  skip,
}, async () => {
  for (const then of ['start', 'rm', 'repair']) {
    const name = box.detached([], 'sleep 100');
    const pids = [...box.monitors(), box.init(name)];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await box.until(() => !pids.some(lives), 'their end');
    // As if it had never come so far.
    rmSync(`${box.disk(name).place}/run.json`);
    if (then === 'start') box.output(['start', name]);
    if (then === 'repair') {
      assert.match(box.output(['system', 'repair']), /settled container/);
      assert.ok(!existsSync(`${box.harness.state}/${box.id(name)}`));
    }
    box.output(['rm', '-f', name]);
    box.clear();
  }
});

test('F01: start is killed at random moments: rm --force succeeds, and the name is free', {
  skip,
}, async () => {
  for (let round = 0; round < rounds(15, 300); round++) {
    const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', 'sleep 100'];
    const run = box.start(['run', '-d', '--name', 'killed', ...root]);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120));
    run.kill('SIGKILL');
    await run.end();
    const removed = box.call(['rm', '-f', 'killed']);
    assert.equal(removed.code, 0, removed.stderr);
    box.call(['system', 'repair']);
    const created = box.call(['create', '--name', 'killed', ...root]);
    assert.equal(created.code, 0, `round ${round}: ${created.stderr}`);
    box.output(['rm', 'killed']);
  }
  // A directory whose maker was killed before it had said so is somebody's for two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  box.call(['system', 'repair']);
  box.harness.assertNothingLeft();
  box.clear();
});

test('F04: after a restart of the machine containers show as ended', { skip }, () => {
  const name = box.detached([], 'exit 3');
  box.output(['wait', name]);
  const { place } = box.disk(name);
  const run = JSON.parse(readFileSync(`${place}/run.json`, 'utf8')) as Record<string, unknown>;
  // It ran when the machine went down: no exit record, another boot.
  rmSync(`${place}/exited.json`);
  rmSync(`${place}/exit`);
  writeFileSync(`${place}/run.json`, JSON.stringify({ ...run, bootId: 'of another boot' }));
  assert.equal(box.output(['wait', name]), '-1');
  assert.equal(box.call(['start', '-a', name]).code, 3);
  box.clear();
});

test('F04: system restore starts what the policies say, once', { skip }, async () => {
  const policies = ['always', 'unless-stopped', 'on-failure', 'no'];
  const names = policies.map((policy) => box.detached(['--restart', policy], 'sleep 100'));
  const stopped = box.detached(['--restart', 'unless-stopped'], 'sleep 100');
  box.output(['stop', '-t', '0', stopped]);
  for (const name of [...names, stopped]) await goDown(name);
  assert.deepEqual(box.output(['system', 'restore']).split('\n').sort(), names.slice(0, 3).sort());
  for (const name of names.slice(0, 3)) assert.ok(lives(box.init(name)), name);
  assert.equal(box.output(['system', 'restore']), '', 'once');
  box.clear();
});

/** As if the machine had been switched off: processes and the runtime directory are gone, the boot is another. */
async function goDown(name: string): Promise<void> {
  const { place } = box.disk(name);
  const state = `${box.harness.state}/${box.id(name)}`;
  if (existsSync(state)) {
    const init = box.init(name);
    const monitors = box.monitors();
    for (const pid of [...monitors, init]) process.kill(pid, 'SIGKILL');
    await box.until(() => ![...monitors, init].some(lives), 'their end');
    // Cgroups go with the machine.
    box.call(['system', 'repair']);
    rmSync(`${place}/exited.json`, { force: true });
    rmSync(`${place}/exit`, { force: true });
    rmSync(state, { recursive: true, force: true });
  }
  const run = JSON.parse(readFileSync(`${place}/run.json`, 'utf8')) as Record<string, unknown>;
  writeFileSync(`${place}/run.json`, JSON.stringify({ ...run, bootId: 'of another boot' }));
}

test('F15: many commands at once on one container: each outcome is one of some order', { skip }, async () => {
  const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', 'sleep 100'];
  box.output(['create', '--name', 'many', ...root]);
  const verbs = [['start'], ['stop', '-t', '0'], ['kill'], ['restart', '-t', '0'], ['exec'], ['rm']] as const;
  const commands = Array.from({ length: rounds(24, 64) }, (_, index) => {
    const [verb = 'start', ...flags] = verbs[index % verbs.length] ?? ['start'];
    return box.start([verb, ...flags, 'many', ...(verb === 'exec' ? ['true'] : [])]);
  });
  const ends = await Promise.all(commands.map((command) => command.end()));
  for (const { code, stderr } of ends) {
    assert.ok([0, 1, 125, 137].includes(code), `${code}: ${stderr}`);
    assert.doesNotMatch(stderr, /unexpected|is missing|at .*\.js:/);
  }
  box.call(['rm', '-f', 'many']);
  box.clear();
});

test('F15: a container ends while others mean it: it runs, or it does not, and nothing is half there', {
  skip,
}, async () => {
  for (let round = 0; round < rounds(5, 100); round++) {
    const name = box.detached([], `sleep 0.0${round % 5}`);
    const verbs = [
      ['kill'],
      ['exec'],
      ['stop'],
      ['top'],
      ['pause'],
      ['exec'],
      ['kill', '-s', 'CONT'],
    ] as const;
    const ends = await Promise.all(
      verbs.map(([verb, ...flags]) =>
        box.start([verb, ...flags, name, ...(verb === 'exec' ? ['true'] : [])]).end(),
      ),
    );
    for (const { code, stderr } of ends)
      if (code !== 0)
        // 137: the program of an exec was killed with the container.
        assert.match(
          `${code} ${stderr}`,
          /^137 $|not running|stopped|paused|does not exist|No such container|cannot toggle freezer/,
        );
    box.output(['rm', '-f', name]);
  }
  box.clear();
});

test('F15: one name, many creates: one gets it', { skip }, async () => {
  const root = ['--rootfs', box.harness.rootfs, '/bin/true'];
  const commands = Array.from({ length: 16 }, () => box.start(['create', '--name', 'one', ...root]));
  const ends = await Promise.all(commands.map((command) => command.end()));
  assert.equal(ends.filter(({ code }) => code === 0).length, 1);
  for (const { code, stderr } of ends) if (code !== 0) assert.match(stderr, /already in use by container/);
  box.output(['rm', 'one']);
  box.clear();
});

test('F03, F19: damaged files of one container leave the others alone', { skip: rootOnly }, () => {
  const [good, bad] = [box.detached([], 'sleep 100'), box.detached([], 'true')];
  box.output(['wait', bad]);
  const { place } = box.disk(bad);
  writeFileSync(`${place}/container.json`, '{"version": 1, "id":');
  failed(box.call(['start', place.slice(-64)]), 1, /container\.json/);
  assert.equal(box.output(['exec', good, 'echo', 'fine']), 'fine');
  writeFileSync(`${place}/container.json`, JSON.stringify({ version: 99, id: place.slice(-64) }));
  failed(box.call(['start', place.slice(-64)]), 1, /newer caisson/);
  box.output(['rm', '-f', place.slice(-64)]);
  assert.equal(existsSync(place), false);
  box.output(['rm', '-f', good]);
  box.call(['system', 'prune', '-f']);
  box.clear();
});
