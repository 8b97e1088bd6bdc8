// F15: many commands on one id at the same time end as if they had come one after the other, and none waits for ever.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const COMMANDS = 64;
const rounds = process.env.CAISSON_LONG === '1' ? 20 : 2;

let launched = 0;

interface Outcome {
  readonly command: string;
  readonly code: number | null;
  readonly stderr: string;
}

function launch(harness: OciHarness, args: readonly string[]): Promise<Outcome> {
  const [program = '', ...words] = harness.commandLine(['oci', ...args]);
  // A file, because a container that lives on has the same standard error.
  const file = `${harness.directory}/stderr-${launched++}`;
  const fd = openSync(file, 'w');
  const child = spawn(program, words, {
    stdio: ['ignore', 'ignore', fd],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  closeSync(fd);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      resolve({ command: args[0] ?? '', code, stderr: readFileSync(file, 'latin1') });
    });
  });
}

/** What a command may say when another was first. */
const LATE: Readonly<Record<string, RegExp>> = {
  create: /already exists/,
  start: /does not exist|cannot start an already running container|cannot start a container that has stopped/,
  state: /does not exist/,
  kill: /does not exist|container not running/,
  delete: /does not exist|that is not stopped/,
};

/** In any order of the outcomes each start and each delete needs a create of its own; `before` were done already. */
function assertSequential(outcomes: readonly Outcome[], forced: number, before = 0): void {
  const done = (name: string) =>
    outcomes.filter(({ command, code }) => command === name && code === 0).length;
  for (const { command, code, stderr } of outcomes) {
    assert.ok(code === 0 || code === 1, `${command}: ${code ?? 'waited for 60 s'} ${stderr}`);
    if (code === 1) assert.match(stderr, LATE[command] ?? /$^/, command);
  }
  const { length } = outcomes.filter(({ command, code }) => command === 'create' && code !== 0);
  assert.ok(length === 0 || before + done('create') > 0, 'a create was refused, and none has been done');
  assert.ok(done('start') <= before + done('create'), 'more starts than creates');
  assert.ok(done('delete') - forced <= before + done('create'), 'more deletes than creates');
}

for (const runtime of RUNTIMES.filter(({ name }) => name === 'caisson-oci')) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`F15 ${name}: of ${COMMANDS} creates of one id one succeeds, of as many starts one, and all deletes by force`, {
    skip,
  }, async () => {
    const id = harness.newId();
    const bundle = harness.bundle({}, 'exec sleep 1000');
    const all = (args: readonly string[]) =>
      Promise.all(Array.from({ length: COMMANDS }, () => launch(harness, args)));
    const created = await all(['create', '--bundle', bundle, id]);
    assertSequential(created, 0);
    assert.equal(created.filter(({ code }) => code === 0).length, 1);
    const started = await all(['start', id]);
    assertSequential(started, 0, 1);
    assert.equal(started.filter(({ code }) => code === 0).length, 1);
    const deleted = await all(['delete', '--force', id]);
    assert.deepEqual(
      deleted.filter(({ code }) => code !== 0),
      [],
    );
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });

  test(`F15 ${name}: ${COMMANDS} mixed commands on one id`, { skip }, async () => {
    const bundle = harness.bundle({}, 'exec sleep 1000');
    for (let round = 0; round < rounds; round++) {
      const id = harness.newId();
      const kinds = [
        ['create', '--bundle', bundle, id],
        ['start', id],
        ['state', id],
        ['kill', id, 'KILL'],
        ['delete', id],
        ['create', '--bundle', bundle, id],
        ['delete', '--force', id],
      ];
      const commands = Array.from({ length: COMMANDS }, (_, index) => kinds[index % kinds.length] ?? []);
      const forced = commands.filter((words) => words[1] === '--force').length;
      assertSequential(await Promise.all(commands.map((words) => launch(harness, words))), forced);
      harness.succeed(['delete', '--force', id]);
      assert.deepEqual(readdirSync(harness.state), []);
    }
    harness.assertNothingLeft();
  });
}
