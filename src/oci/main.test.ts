// The command line as a whole, on a machine that is not there: what is printed where, and the exit code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../spec/defaults.ts';
import { parseSpec } from '../spec/validate.ts';
import { COMMANDS } from './commands.ts';
import { ociMain } from './main.ts';
import { type Machine, machine } from './port.testing.ts';

async function run(line: string, at: Machine = machine({}, ['/', '/work'])) {
  const code = await ociMain(at.port, line === '' ? [] : line.split(' '));
  return { code, ...at.printed };
}

function logged(stderr: string): string {
  return /level=error msg=(.*)\n$/.exec(stderr)?.[1] ?? stderr;
}

test('without a command, and with --help: the help of the program', async () => {
  for (const line of ['', '--help', '-h', 'help', 'h']) {
    const { code, stdout, stderr } = await run(line);
    assert.equal(code, 0, line);
    assert.equal(stderr, '');
    assert.match(stdout, /^NAME:\n {3}caisson-oci, in place of runc - Open Container Initiative runtime\n/);
    for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^ {3}${name} +[A-Z]`, 'm'));
    assert.ok(!stdout.includes('systemd'), 'an option of a later issue');
  }
});

test('the help of each command', async () => {
  for (const { name, summary } of COMMANDS) {
    for (const line of [`${name} --help`, `${name} -h`, `help ${name}`, `-h ${name}`]) {
      const { code, stdout } = await run(line);
      assert.equal(code, 0, line);
      assert.ok(
        stdout.startsWith(`NAME:\n   caisson-oci ${name} - ${summary}\n\nUSAGE:\n   caisson-oci ${name}`),
        line,
      );
      assert.match(stdout, /\nOPTIONS:\n(.*\n)* {3}--help, -h +Show help\n$/);
    }
  }
});

test('a command of a later issue has help, too', async () => {
  for (const line of ['checkpoint -h', 'restore --help', 'help restore']) {
    const { code, stdout } = await run(line);
    assert.equal(code, 0, line);
    assert.match(stdout, /^NAME:\n {3}caisson-oci (checkpoint|restore) - Comes in a later issue\n/);
  }
});

test('--version, in the lines that engines read', async () => {
  for (const line of ['--version', '-v']) {
    const { code, stdout } = await run(line);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^caisson-oci \S+, compatible with runc version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.\d\.\d\n$/,
    );
  }
});

const REFUSED: readonly (readonly [line: string, code: number, message: RegExp])[] = [
  ['foo', 3, /^"No help topic for 'foo'"$/],
  ['foo -h', 3, /^"No help topic for 'foo'"$/],
  ['state', 1, /^"caisson-oci: \\"state\\" requires exactly 1 argument\(s\)"$/],
  ['kill', 1, /requires a minimum of 1 argument/],
  ['kill x TERM y', 1, /requires a maximum of 2 argument/],
  ['state x', 1, /^"container does not exist"$/],
  ['state a/b', 1, /^"invalid container ID format"$/],
  ['--root / state x', 1, /^"Option --root argument should not be set to \/"$/],
  ['--root ../.. state x', 1, /should not be set to \//],
  ['--log-format xml state x', 1, /^"invalid log-format: xml"$/],
  ['--rootless maybe state x', 1, /--rootless maybe/],
  ['--systemd-cgroup state x', 1, /--systemd-cgroup comes in a later issue/],
  ['--cgroup-manager systemd state x', 1, /--cgroup-manager systemd comes in a later issue/],
  ['--log /missing/log state x', 1, /open \/missing\/log: /],
  ['checkpoint x', 1, /\\"checkpoint\\" comes in a later issue/],
  ['restore x', 1, /\\"restore\\" comes in a later issue/],
  ['kill x NOSUCH', 1, /^"unknown signal \\"NOSUCH\\""$/],
  ['kill x 99', 1, /unknown signal/],
  ['list -f yaml', 1, /^"invalid format option"$/],
  ['--root /nosuch list', 1, /^"open \/nosuch: no such file or directory"$/],
  ['events --interval 0s x', 1, /^"duration interval must be greater than 0"$/],
  ['events --interval -1s x', 1, /must be greater than 0/],
  ['events --interval 5 x', 1, /not a duration/],
  ['create -b /nosuch x', 1, /^"runc create failed: chdir \/nosuch: no such file or directory"$/],
  ['run --preserve-fds -1 x', 1, /^"runc run failed: --preserve-fds -1: not a count"$/],
  ['update --memory 1q x', 1, /^"invalid value for memory: parsing \\"1q\\": invalid size"$/],
  ['update --cpu-quota 1m x', 1, /^"invalid value for cpu-quota: parsing \\"1m\\": invalid syntax"$/],
  ['update -r nosuch x', 1, /^"open nosuch: no such file or directory"$/],
  ['exec -p nosuch x', 255, /^"exec failed: open nosuch: no such file or directory"$/],
];

test('what is refused, with which words', async () => {
  for (const [line, code, message] of REFUSED) {
    const result = await run(line);
    assert.equal(result.code, code, `${line}: ${result.stderr}`);
    assert.match(logged(result.stderr), message, line);
  }
});

test('wrong options are told with the help', async () => {
  const { code, stdout, stderr } = await run('state --nope x');
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^Incorrect Usage: flag provided but not defined: -nope\n\ntime=.* level=error msg="flag provided/,
  );
  assert.match(stdout, /^NAME:\n {3}caisson-oci state - /);
});

test('an error is in the log, and on standard error', async () => {
  const at = machine();
  const { code, stderr } = await run('--log l --log-format json state x', at);
  assert.equal(code, 1);
  assert.equal(stderr, 'container does not exist\n');
  assert.match(
    at.files.get('l') ?? '',
    /^\{"level":"error","msg":"container does not exist","time":"[^"]*Z"\}\n$/,
  );
  await run('--log=file:l state y', at);
  assert.equal((at.files.get('l') ?? '').split('\n').length, 3);
});

test('spec: what runc writes, once', async () => {
  const at = machine({}, ['/', '/work', '/work/b']);
  assert.equal((await run('spec -b b', at)).code, 0);
  const text = at.files.get('/work/b/config.json') ?? '';
  assert.ok(text.startsWith('{\n\t"ociVersion": "') && text.endsWith('\n}'));
  assert.deepEqual(parseSpec(text).spec, parseSpec(JSON.stringify(exampleSpec())).spec);
  const again = await run('spec -b b', at);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /msg="File config\.json exists\. Remove it first"/);
  assert.equal((await run('spec --bundle=/nosuch')).code, 1);
});

test('list: nothing yet', async () => {
  assert.equal(
    (await run('list')).stdout,
    'ID          PID         STATUS      BUNDLE      CREATED     OWNER\n',
  );
  assert.equal((await run('list -f json')).stdout, 'null\n');
  assert.equal((await run('list -q')).stdout, '');
});

test('features: JSON with every hook', async () => {
  const { stdout, code } = await run('features');
  assert.equal(code, 0);
  const { hooks, ociVersionMax, linux } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(hooks, [
    ...['prestart', 'createRuntime', 'createContainer', 'startContainer'],
    ...['poststart', 'poststop'],
  ]);
  assert.equal(ociVersionMax, '1.3.0');
  assert.ok(typeof linux === 'object');
});
