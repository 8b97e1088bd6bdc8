// Runs that are killed with SIGKILL at random moments, the command or its launcher, leave nothing after a repair.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, rootOnly as skip, succeeded } from '../harness/caisson.ts';
import {
  childOf,
  grown,
  kernelObjects,
  processesNamed,
  processesOfSessions,
  random,
  soon,
  wait,
} from './traces.ts';

const LONG = process.env.CAISSON_LONG === '1';
const KILLS = LONG ? 200 : 60;
const STARTS = LONG ? 2000 : 200;
const SEED = Number(process.env.CAISSON_SEED ?? 20261124);
/** About as long as a run of `true` takes, and longer than the start of any, in milliseconds. */
const LATEST = { true: 50, sleep: 120 };
/** A number of seconds that no other sleeping process has. */
const MARKER = `98765.${process.pid}`;

const harness = new Harness();
after(() => {
  harness.close();
});

/** A command in a session of its own, in which its launcher is, too. */
function start(program: readonly string[]): ChildProcess {
  const [first = '', ...rest] = harness.commandLine(['run', '--rm', '--rootfs', harness.rootfs, ...program]);
  return spawn(first, rest, { detached: true, stdio: 'ignore' });
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      resolve(code ?? (signal === 'SIGKILL' ? 137 : 128));
    });
  });
}

/** What is to be killed, `after` milliseconds after the start. */
interface Kill {
  readonly victim: 'caisson' | 'launcher';
  readonly program: readonly string[];
  readonly after: number;
}

function kills(count: number): Kill[] {
  const next = random(SEED);
  return Array.from({ length: count }, (_, index) => ({
    victim: index % 3 === 2 ? 'launcher' : 'caisson',
    ...(index % 2 === 0
      ? { program: ['true'], after: next() * LATEST.true }
      : { program: ['sleep', MARKER], after: next() * LATEST.sleep }),
  }));
}

async function carryOut({ victim, program, after: delay }: Kill): Promise<number> {
  const child = start(program);
  const pid = child.pid ?? 0;
  const end = ended(child);
  await wait(delay);
  const launcher = victim === 'launcher' && child.exitCode === null ? childOf(pid) : 0;
  try {
    process.kill(launcher > 0 ? launcher : pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  // A command whose launcher was killed must end by itself, and a killed one at once.
  const inTime = await Promise.race([end.then(() => true), wait(8000).then(() => false)]);
  assert.ok(inTime, `caisson did not end after its ${victim} was killed`);
  return pid;
}

test(`${KILLS} runs killed at random moments (seed ${SEED})`, { skip }, async () => {
  harness.lookAgain();
  const before = kernelObjects();
  const sessions = new Set<number>();
  for (const [index, kill] of kills(KILLS).entries()) {
    sessions.add(await carryOut(kill));
    const what = `kill ${index}, of ${kill.victim} after ${kill.after.toFixed(1)} ms`;
    // Before any repair: launcher and container die with the command.
    assert.ok(await soon(() => processesNamed(MARKER).length === 0, 3000), `the container lives on: ${what}`);
    assert.ok(
      await soon(() => processesOfSessions(sessions).length === 0, 3000),
      `the launcher lives on: ${what}`,
    );
    if (index % 10 === 9) succeeded(harness.caisson(['system', 'repair']));
  }
  succeeded(harness.caisson(['system', 'repair']));
  assert.deepEqual(readdirSync(harness.state), []);
  assert.equal(succeeded(harness.caisson(['system', 'repair'])), '', 'a second repair has something to do');
  harness.assertNothingLeft();
  assert.ok(
    await soon(() => grown(before, KILLS / 4).length === 0, 5000),
    `leaks: ${grown(before, KILLS / 4).join()}`,
  );
});

test('a command whose launcher is killed cleans up by itself, with another one', { skip }, async () => {
  harness.lookAgain();
  const child = start(['sleep', MARKER]);
  const end = ended(child);
  const launcher = () => childOf(child.pid ?? 0);
  assert.ok(
    await soon(() => processesNamed(MARKER).some((pid) => pid === childOf(launcher())), 5000),
    'it runs',
  );
  process.kill(launcher(), 'SIGKILL');
  assert.equal(await end, 125);
  assert.deepEqual(readdirSync(harness.state), []);
  assert.equal(succeeded(harness.caisson(['system', 'repair'])), '');
  harness.assertNothingLeft();
});

test('a repair beside runs that live does not touch them', { skip }, async () => {
  harness.lookAgain();
  const living = start(['sleep', MARKER]);
  assert.ok(
    await soon(
      () => processesNamed(MARKER).some((pid) => pid !== living.pid && childOf(living.pid ?? 0) !== pid),
      5000,
    ),
  );
  const lives = ended(living);
  for (let index = 0; index < 5; index++) {
    await carryOut({ victim: 'caisson', program: ['true'], after: 8 * index });
    assert.doesNotMatch(succeeded(harness.caisson(['system', 'repair'])), /process/);
  }
  assert.ok(processesNamed(MARKER).length > 1, 'the living container is gone');
  living.kill('SIGTERM');
  process.kill(living.pid ?? 0, 'SIGKILL');
  await lives;
  await wait(50);
  succeeded(harness.caisson(['system', 'repair']));
  harness.assertNothingLeft();
});

test(`${STARTS} starts one after the other leave nothing`, { skip }, async () => {
  harness.lookAgain();
  const before = kernelObjects();
  for (let index = 0; index < STARTS; index++)
    assert.equal(await ended(start(['true'])), 0, `start ${index}`);
  assert.deepEqual(readdirSync(harness.state), []);
  harness.assertNothingLeft();
  assert.ok(
    await soon(() => grown(before, STARTS / 4).length === 0, 5000),
    `leaks: ${grown(before, STARTS / 4).join()}`,
  );
});
