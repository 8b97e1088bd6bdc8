// What keeps a container from ending or going: a monitor that was stopped, cgroups with others' processes, a mount namespace
// that pins its root (F09, F10, F18); and process ids that were given to somebody else (F03).
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, once, rootOnly, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  await box.until(() => child.exitCode !== null || child.signalCode !== null, 'the end of a process');
}

test('F18: a monitor that was stopped and goes on has lost nothing; stop and rm --force wake it', {
  skip,
}, async () => {
  const name = box.detached(['--timeout', '2s'], 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done');
  const [monitor = 0] = box.monitors();
  process.kill(monitor, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 500));
  process.kill(monitor, 'SIGCONT');
  assert.equal(box.output(['wait', name]), '137', 'its time is over, whoever slept meanwhile');
  const numbers = box.output(['logs', name]).split('\n').map(Number);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, index) => index + 1),
  );
  assert.ok(numbers.length > 8, `${numbers.length} lines in two seconds`);
  for (const command of [
    ['stop', '-t', '0'],
    ['rm', '-f'],
  ]) {
    const other = box.detached([], 'sleep 100');
    const stopped = box.monitors()[0] ?? 0;
    process.kill(stopped, 'SIGSTOP');
    const begun = Date.now();
    box.output([...command, other]);
    assert.ok(Date.now() - begun < 8000, 'in bounded time');
    if (command[0] === 'stop') assert.equal(box.output(['wait', other]), '137', 'and its end is known');
  }
  box.clear();
});

test('F10: a mount namespace that somebody else has copied pins the root: the container goes all the same', {
  skip: rootOnly,
}, async () => {
  const name = box.detached([], 'sleep 100');
  const { place } = box.disk(name);
  const pin = spawn('nsenter', ['-t', String(box.init(name)), '-m', '/bin/sleep', '100'], {
    stdio: 'ignore',
  });
  const kept = spawn('nsenter', ['-t', String(box.init(name)), '-m', '--', '/bin/sh', '-c', 'read x'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await box.until(() => lives(pin.pid ?? 0) && lives(kept.pid ?? 0), 'processes in its mount namespace');
  box.output(['stop', '-t', '0', name]);
  box.output(['start', name]);
  box.output(['rm', '-f', name]);
  assert.ok(!existsSync(place));
  pin.kill('SIGKILL');
  kept.kill('SIGKILL');
  await Promise.all([ended(pin), ended(kept)]);
  box.clear();
});

/** The directory of its cgroup with this controller. */
function cgroupOf(name: string, controller: string): string {
  const line = readFileSync(`/proc/${box.init(name)}/cgroup`, 'utf8')
    .split('\n')
    .find((each) => each.split(':')[1] === controller);
  return `/sys/fs/cgroup/${controller}${line?.split(':')[2] ?? ''}`;
}

test('F09: cgroups below the own one, with a process of somebody else; a frozen one', {
  skip: rootOnly || (!existsSync('/sys/fs/cgroup/pids') && 'a host without these cgroups of version 1'),
}, async () => {
  const name = box.detached([], 'sleep 100');
  const inner = `${cgroupOf(name, 'pids')}/inner/most`;
  mkdirSync(inner, { recursive: true });
  const guest = spawn('sleep', ['100'], { stdio: 'ignore' });
  writeFileSync(`${inner}/cgroup.procs`, String(guest.pid));
  const begun = Date.now();
  box.output(['rm', '-f', name]);
  assert.ok(Date.now() - begun < 10_000);
  await ended(guest);
  assert.equal(guest.signalCode, 'SIGKILL', 'what is in a cgroup of the container goes with it');
  const frozen = box.detached([], 'sleep 100');
  const freezer = `${cgroupOf(frozen, 'freezer')}/freezer.state`;
  writeFileSync(freezer, 'FROZEN');
  box.output(['stop', '-t', '1', frozen]);
  assert.equal(box.output(['wait', frozen]), '137');
  box.output(['start', frozen]);
  assert.ok(lives(box.init(frozen)));
  box.output(['rm', '-f', frozen]);
  box.clear();
});

/** Everything in a namespace of process ids of its own, where the next one can be chosen: ns_last_pid of proc(5). */
const REUSED = `set -e
next() { echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid; }
$RUN run -d --name box --cgroup-parent "$PARENT" --rootfs "$ROOTFS" /bin/sleep 1000 > /dev/null
init=$($RUN inspect -f '{{.State.Pid}}' box)
monitor=$(awk '{ print $4 }' /proc/$init/stat)
kill -9 $monitor $init
while kill -0 $init 2> /dev/null || kill -0 $monitor 2> /dev/null; do sleep 0.01; done
for pid in $monitor $init; do
  tries=0
  while [ ! -d /proc/$pid ] && [ $tries -lt 100 ]; do next $pid; setsid sleep 500 & sleep 0.02; tries=$((tries+1)); done
  echo "$(tr '\\0' ' ' < /proc/$pid/cmdline)"
done
set +e
for command in 'kill box' 'exec box true' 'stop -t 0 box' 'pause box' 'top box' 'cp box:/etc/passwd -' 'rm box'; do
  $RUN $command > /dev/null 2>&1; echo "$command $?"
done
for pid in $monitor $init; do echo "$(tr '\\0' ' ' < /proc/$pid/cmdline)"; done
`;

test('F03: the ids of a dead container belong to others now: none of them gets a signal, or is entered', {
  skip: once || (!existsSync('/proc/sys/kernel/ns_last_pid') && 'this kernel has no ns_last_pid'),
}, () => {
  const { harness, dataRoot } = box;
  const env = {
    ...process.env,
    RUN: `${harness.commandLine(['x'])[0]} --runtime-root ${harness.state}`,
    CAISSON_DATA_ROOT: dataRoot,
    PARENT: `/${harness.cgroup}`,
    ROOTFS: harness.rootfs,
  };
  const inside = ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', REUSED];
  const { stdout, stderr, status } = spawnSync('unshare', inside, { env, encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trim().split(/ *\n/), [
    ...['sleep 500', 'sleep 500'],
    ...['kill box 1', 'exec box true 1', 'stop -t 0 box 0', 'pause box 1', 'top box 1'],
    ...['cp box:/etc/passwd - 0', 'rm box 0'],
    ...['sleep 500', 'sleep 500'],
  ]);
  failed(box.call(['inspect', 'box']), 1, /No such/);
  box.clear();
});
