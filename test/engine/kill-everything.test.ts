// kill -9 of every caisson process at once while containers run: of which only a command died are untouched, and of all
// states, exit codes and logs are right afterwards.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import type { Started } from '../harness/caisson.ts';
import { Containers, failed, rootless, rounds, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

/** How many containers there are. */
const COUNT = rounds(20, 100);

/** Counts, and ends with 7 when it is told to. */
const COUNTING = 'trap "exit 7" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly line: string;
  readonly program: string;
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1];
        const line = readFileSync(`/proc/${name}/cmdline`, 'latin1');
        return [
          { pid: Number(name), parent: Number(parent), line, program: readlinkSync(`/proc/${name}/exe`) },
        ];
      } catch {
        return [];
      }
    });
}

/** Commands of these containers and the launchers below them. */
function commands(): number[] {
  const all = processes();
  const own = all.filter(({ line }) => line.includes(`\0${box.harness.state}\0`)).map(({ pid }) => pid);
  const launchers = all.filter(
    ({ parent, program }) => program.startsWith('/memfd:caisson-launcher') && own.includes(parent),
  );
  return [...own, ...launchers.map(({ pid }) => pid)];
}

/** SIGKILL to all of them, as nearly at once as it goes. */
function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself, or with its parent.
    }
  }
}

function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The numbers that a container has written to its log. */
function counted(name: string): number[] {
  return box
    .log(name)
    .split('\n')
    .slice(0, -1)
    .map((line) => Number((JSON.parse(line) as { log: string }).log));
}

function hasBegun(name: string): boolean {
  try {
    return counted(name).length > 1;
  } catch {
    // Its command has not come so far.
    return false;
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const inRoot = (script: string): string[] => ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', script];

/** Every kind of command that lives as long as a container does, of one that was started in one of two ways. */
function busy(index: number): { readonly name: string; readonly client: Started } {
  if (index % 2 === 0) {
    const name = `front-${index}`;
    return { name, client: box.start(['run', '--rm=false', '--name', name, ...inRoot(COUNTING)]) };
  }
  const name = box.detached([], COUNTING);
  const words = [
    ['attach', name],
    ['logs', '-f', name],
    ['wait', name],
    ['exec', name, 'sleep', '100'],
  ][(index >> 1) % 4] ?? ['wait', name];
  return { name, client: box.start(words) };
}

test(`kill -9 of every command while ${COUNT} containers run: they are untouched`, { skip }, async () => {
  const all = upTo(COUNT).map(busy);
  const names = all.map(({ name }) => name);
  await box.until(() => names.every(hasBegun), 'output of all');
  const before = new Map(names.map((name) => [name, box.init(name)]));
  const watching = box.start(['events']);
  const killed = commands();
  assert.ok(killed.length >= COUNT, `${killed.length} commands`);
  killAll(killed);
  const clients = [watching, ...all.map(({ client }) => client)];
  // Not the end of their output, which what was executed in a container may still hold.
  const over = () => clients.every(({ child }) => child.signalCode === 'SIGKILL');
  await box.until(over, 'the end of every command');
  const shown = box.output(['ps', '--format', '{{.Names}} {{.State}}']).split('\n').sort();
  assert.deepEqual(shown, names.map((name) => `${name} running`).sort());
  const then = new Map(names.map((name) => [name, counted(name).length]));
  for (const name of names) assert.equal(box.init(name), before.get(name));
  const goesOn = (name: string): boolean => counted(name).length > (then.get(name) ?? 0) + 1;
  await box.until(() => names.every(goesOn), 'more output of all');
  assert.equal(box.monitors().length, COUNT);
  box.output(['stop', ...names]);
  for (const name of names) {
    assert.deepEqual([box.disk(name).exited?.code, box.disk(name).exited?.signal], [7, 0]);
    const numbers = counted(name);
    assert.deepEqual(numbers, upTo(numbers.length), 'no line is missing');
  }
  box.output(['rm', ...names]);
  // What the killed `exec`s had joined with is nobody's any more.
  box.output(['system', 'repair']);
  box.clear();
});

test(`kill -9 of commands and monitors while ${COUNT} containers run and commands are on their way`, {
  skip,
}, async () => {
  const quiet = upTo(COUNT).map(() => box.detached([], 'echo 1; trap "" PIPE; while :; do sleep 0.2; done'));
  const ended = box.detached([], 'echo 1; exit 3');
  assert.equal(box.output(['wait', ended]), '3');
  await box.until(() => quiet.every((name) => counted(name).length === 1), 'output of all');
  const inits = quiet.map((name) => box.init(name));
  const bound = box.start(['run', '--rm', '--name', 'bound', ...inRoot('echo ready; sleep 100')]);
  await bound.untilPrinted('ready');
  const [stopping = '', restarting = '', removing = ''] = quiet;
  const underWay = [
    ['stop', '-t', '0', stopping],
    ['restart', '-t', '0', restarting],
    ['rm', '-f', removing],
    ['run', '-d', '--name', 'new-1', ...inRoot('sleep 100')],
    ['create', '--name', 'new-2', ...inRoot('sleep 100')],
  ].map((words) => box.start(words));
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
  killAll([...commands(), ...box.monitors()]);
  for (const command of [bound, ...underWay]) await command.end();
  await box.until(() => commands().length === 0, 'the end of every command');
  killAll(box.monitors());
  const rest = quiet.slice(3);
  for (const [index, name] of rest.entries()) await afterwards(name, inits[index + 3] ?? 0);
  assert.equal(box.disk(ended).exited?.code, 3, 'what was known stays known');
  const free = box.output(['run', '--rm', '--name', 'bound', ...inRoot('echo free')]);
  assert.equal(free, 'free', 'the container of the killed command is gone, and so is its name');
  for (const name of [stopping, restarting]) {
    box.output(['rm', '-f', name]);
    assert.equal(box.call(['inspect', name]).code, 1);
  }
  const last = box.output(['ps', '-a', '--format', '{{.Names}}']).split('\n');
  box.output(['rm', '-f', ...last, 'new-1', 'new-2', removing]);
  // A directory whose maker was killed before it had said so is somebody's for two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  box.output(['system', 'repair']);
  box.clear();
});

/** A container whose monitor was killed lives on; one without a cgroup, a user's, ends. Nobody knows its exit code. */
async function afterwards(name: string, init: number): Promise<void> {
  if (rootless) await box.until(() => !lives(init), `the end of ${name}`);
  else {
    assert.ok(lives(init), `${name} lives`);
    assert.equal(box.output(['exec', name, 'echo', 'on']), 'on');
    failed(box.call(['rm', name]), 1, /container is running/);
    box.output(['stop', '-t', '0', name]);
  }
  assert.equal(box.output(['wait', name]), '-1');
  assert.deepEqual(counted(name), [1]);
  box.output(['start', name]);
  await box.until(() => counted(name).length === 2, 'output of the second run');
  box.output(['rm', '-f', name]);
}
