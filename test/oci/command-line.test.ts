// What the commands print, log and exit with around a real container: the words that engines search for.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** A command line in which ID is a container of the status that the table is about. */
type Row = readonly [line: string, code: number, message: RegExp | undefined];

const ABSENT: readonly Row[] = [
  ['state ID', 1, /^container does not exist$/],
  ['start ID', 1, /^container does not exist$/],
  ['kill ID', 1, /^container does not exist$/],
  ['delete ID', 1, /^container does not exist$/],
  ['delete --force ID', 0, undefined],
  ['pause ID', 1, /^container does not exist$/],
  ['resume ID', 1, /^container does not exist$/],
  ['ps ID', 1, /^container does not exist$/],
  ['events --stats ID', 1, /^container does not exist$/],
  ['update --memory 64M ID', 1, /^container does not exist$/],
  ['exec ID true', 255, /^exec failed: container does not exist$/],
];

const CREATED: readonly Row[] = [
  ['create --bundle BUNDLE ID', 1, /^runc create failed: container with given ID already exists$/],
  ['run --bundle BUNDLE ID', 1, /^runc run failed: container with given ID already exists$/],
  ['resume ID', 1, /^container not paused$/],
  ['kill ID 0', 0, undefined],
  ['kill ID NOSUCH', 1, /^unknown signal "NOSUCH"$/],
];

const RUNNING: readonly Row[] = [
  ['start ID', 1, /^cannot start an already running container$/],
  ['delete ID', 1, /^cannot delete container ID that is not stopped: running$/],
  ['exec ID', 255, /^exec failed: exec args cannot be empty$/],
  ['exec ID nosuch', 255, /: exec: "nosuch": executable file not found in \$PATH$/],
  ['exec ID /no/such', 255, /: exec: "\/no\/such": no such file or directory$/],
  ['exec ID /etc/passwd', 255, /: exec: "\/etc\/passwd": permission denied$/],
  ['exec ID false', 1, undefined],
  ['exec ID sh -c "exit 42"', 42, undefined],
  ['exec --user 1000:1000 ID id -u', 0, undefined],
  ['kill ID USR1', 0, undefined],
];

const PAUSED: readonly Row[] = [
  [
    'exec ID true',
    255,
    /^exec failed: cannot exec in a paused container \(use --ignore-paused to override\)$/,
  ],
  ['start ID', 1, /^cannot start a container in the paused state$/],
];

const STOPPED: readonly Row[] = [
  ['kill ID', 1, /^container not running$/],
  ['kill --all ID', 0, undefined],
  ['start ID', 1, /^cannot start a container that has stopped$/],
  ['exec ID true', 255, /^exec failed: cannot exec in a stopped container$/],
  ['pause ID', 1, /^container not running$/],
  ['ps ID', 0, undefined],
];

/** The words of a command line; double quotes hold blanks together. */
function words(line: string, id: string, bundle: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word = '']) =>
    (quoted ?? word).replace(/^ID$/, id).replace(/^BUNDLE$/, bundle),
  );
}

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  const log = `${harness.directory}/log.json`;
  after(() => harness.close());

  /** Every row, its message in the log as JSON and on standard error as it is. */
  const check = (rows: readonly Row[], id: string, bundle: string): void => {
    for (const [line, code, message] of rows) {
      writeFileSync(log, '');
      const ended = harness.call(['--log', log, '--log-format', 'json', ...words(line, id, bundle)]);
      assert.equal(ended.code, code, `${line}: ${ended.stderr}`);
      if (message === undefined) continue;
      const { level, msg, time } = JSON.parse(readFileSync(log, 'utf8')) as Record<string, string>;
      assert.equal(level, 'error', line);
      assert.match((msg ?? '').replaceAll(id, 'ID'), message, line);
      assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(ended.stderr, `${msg}\n`, line);
    }
  };

  test(`${name}: texts and exit codes from status to status`, { skip }, async () => {
    const bundle = harness.bundle({}, 'trap : USR1; while :; do sleep 0.05; done');
    const id = harness.newId();
    check(ABSENT, id, bundle);
    harness.succeed(['create', '-b', bundle, id]);
    check(CREATED, id, bundle);
    harness.succeed(['start', id]);
    check(RUNNING, id, bundle);
    harness.succeed(['pause', id]);
    assert.equal(harness.stateOf(id).status, 'paused');
    check(PAUSED, id, bundle);
    harness.succeed(['resume', id]);
    harness.succeed(['kill', id, 'SIGKILL']);
    await harness.untilStatus(id, 'stopped');
    check(STOPPED, id, bundle);
    harness.succeed(['delete', id]);
    check(ABSENT, id, bundle);
    harness.assertNothingLeft();
  });

  test(`${name}: list, state and ps of two containers`, { skip }, () => {
    const bundle = harness.bundle({ annotations: { 'a&b': '<' } }, 'exec sleep 1000');
    const [running, created] = ['b-running', 'a-created'];
    harness.succeed(['run', '-d', '-b', bundle, running]);
    harness.succeed(['create', '-b', harness.bundle({}, 'true'), created]);

    const text = harness.succeed(['state', running]).stdout;
    const state = harness.stateOf(running);
    const annotations = '  "annotations": {\n    "a\\u0026b": "\\u003c"\n  },\n  "owner": ""\n}';
    assert.ok(
      text.startsWith(`{\n  "ociVersion": "1.3.0",\n  "id": "${running}",\n  "pid": ${state.pid},\n`),
      text,
    );
    assert.ok(text.endsWith(annotations), text);

    assert.equal(harness.succeed(['list', '--quiet']).stdout, `${created}\n${running}\n`);
    const [heading = '', first = '', second = ''] = harness.succeed(['list']).stdout.split('\n');
    assert.match(heading, /^ID {10}PID {9}STATUS {6}BUNDLE +CREATED +OWNER$/);
    assert.match(first, /^a-created +\d+ +created +\/\S+ +20\S+Z +root$/);
    assert.match(second, /^b-running +\d+ +running +\/\S+ +20\S+Z +root$/);
    assert.equal(second.indexOf('running ', 10), heading.indexOf('STATUS'));
    const listed = JSON.parse(harness.succeed(['list', '-f', 'json']).stdout) as readonly object[];
    assert.deepEqual(listed[1], { ...state, owner: 'root' });

    assert.equal(harness.succeed(['ps', '-f', 'json', running]).stdout, `[${state.pid}]\n`);
    const table = harness.succeed(['ps', running]).stdout.split('\n');
    assert.match(table[0] ?? '', /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
    assert.match(table[1] ?? '', new RegExp(`^root +${state.pid} .* sleep 1000$`));
    assert.equal(table.length, 3);
    assert.match(harness.succeed(['ps', running, '-o', 'pid,comm']).stdout, /^ *PID COMMAND\n *\d+ sleep\n$/);
    for (const id of [running, created]) harness.succeed(['delete', '-f', id]);
    assert.equal(harness.succeed(['list', '-f', 'json']).stdout, 'null\n');
  });

  test(`${name}: the log is added to, and readable for all`, { skip }, () => {
    const file = `${harness.directory}/added`;
    for (const id of ['one', 'two']) harness.call(['--log', file, 'state', id]);
    const lines = readFileSync(file, 'utf8').split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines.slice(0, 2))
      assert.match(line, /^time="\S+Z" level=error msg="container does not exist"$/);
    assert.equal(statSync(file).mode & 0o777, 0o644);
    const failed = harness.call(['--log', `${harness.directory}/no/such/log`, 'state', 'one']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /^time=.* level=error msg="open .*\/no\/such\/log: /);
  });

  test(`${name}: spec, then run what it wrote`, { skip }, () => {
    const bundle = harness.makeDirectory('bundle');
    harness.succeed(['spec'], { cwd: bundle });
    assert.equal(statSync(`${bundle}/config.json`).mode & 0o777, 0o644);
    assert.match(
      harness.call(['spec'], { cwd: bundle }).stderr,
      /File config\.json exists\. Remove it first/,
    );
    const spec = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as {
      process: { args: string[]; terminal: boolean };
      root: { path: string };
    };
    spec.process.args = ['/bin/sh', '-c', 'pwd; echo $PATH'];
    spec.process.terminal = false;
    spec.root.path = harness.rootfs;
    writeFileSync(`${bundle}/config.json`, JSON.stringify(spec));
    const { stdout } = harness.succeed(['run', harness.newId()], { cwd: bundle });
    assert.equal(stdout, '/\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
  });

  // Bun itself refuses to start there.
  const bun = runtime.executable === undefined && 'Bun needs a working directory';
  test(`${name}: a working directory that was removed is not the root`, { skip: skip || bun }, () => {
    const gone = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"';
    const prefix = ['sh', '-c', gone, `${harness.directory}/gone`];
    const ended = harness.call(['spec'], { prefix });
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /gone/);
    assert.equal(existsSync('/config.json'), false);
    const run = harness.call(['run', harness.newId()], { prefix });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /gone.*no such file or directory|no such file or directory.*gone/);
    // Where it does not matter, nothing is wrong with it.
    harness.succeed(['run', '-b', harness.bundle({}, 'true'), harness.newId()], { prefix });
  });

  test(`${name}: --debug tells the steps that are played`, { skip }, () => {
    const file = `${harness.directory}/steps`;
    const told = (...words: string[]) => {
      writeFileSync(file, '');
      harness.call(['--debug', '--log', file, ...words]);
      const lines = readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.includes('level=debug'));
      return lines.map((line) => /msg="?(.*?)"?$/.exec(line)?.[1] ?? line);
    };
    const id = harness.newId();
    const created = told('create', '-b', harness.bundle({}, 'exec sleep 100'), id);
    for (const step of [
      'child: mount proc at /proc',
      'child: wait for start',
      'parent: wait until the container is created',
    ])
      assert.ok(created.includes(step), `${step}: ${created.join()}`);
    assert.ok(
      created.indexOf('child: mount proc at /proc') <
        created.indexOf('child: make the root the root, and detach the old one'),
    );
    assert.ok(told('start', id).includes('parent: let the container execute its program'));
    assert.ok(told('exec', id, 'true').some((step) => step.startsWith('child: join the namespaces')));
    assert.ok(told('delete', '--force', id).some((step) => step.includes('signal 9')));
    harness.assertNothingLeft();
  });
}
