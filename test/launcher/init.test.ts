// build/init as PID 1 of a real PID namespace: exit statuses, signals, orphans, terminal, no /proc.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { program, withDirectory } from './programs.ts';

const root = process.getuid?.() === 0;
const UNSHARE = root ? ['-pf'] : ['-Urpf'];
const namespaces = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;
const skip = namespaces ? false : 'needs PID namespaces';
const SHELL = ['/bin/sh', '--', 'sh', '-c'];

/** Runs init as PID 1 until it ends. */
function run(
  args: readonly string[],
  options: { unshare?: readonly string[]; prefix?: readonly string[] } = {},
) {
  const [command = '', ...rest] = [...(options.prefix ?? []), program('init'), ...args];
  const unshare = [...(options.unshare ?? UNSHARE), command, ...rest];
  return spawnSync('unshare', unshare, { encoding: 'utf8', timeout: 20_000 });
}

test('init ends with the status of the program', { skip }, () => {
  for (const code of [0, 1, 7, 127, 255]) assert.equal(run([...SHELL, `exit ${code}`]).status, code);
});

test('a program that a signal ends is 128 and the number', { skip }, () => {
  for (const signal of ['KILL', 'TERM', 'SEGV', 'HUP'] as const) {
    // unshare(1) ends with the status of its child.
    const { status } = run([...SHELL, `ulimit -c 0; kill -${signal} $$`]);
    assert.equal(status, 128 + constants.signals[`SIG${signal}`], signal);
  }
});

test('the candidates are tried in order, and failures are told apart', { skip }, () =>
  withDirectory((directory) => {
    const file = (name: string, mode: number, text = '') => {
      writeFileSync(join(directory, name), text);
      chmodSync(join(directory, name), mode);
      return join(directory, name);
    };
    const plain = file('plain', 0o644);
    const empty = file('empty', 0o755, 'neither ELF nor a script');
    const good = file('good', 0o755, '#!/bin/sh\nexit 5\n');
    const status = (...candidates: string[]) => run([...candidates, '--', 'name']);
    assert.equal(status('/no/such', `${plain}/below`, good).status, 5);
    assert.equal(status(good, '/bin/false').status, 5);
    assert.equal(status(plain, good).status, 5);
    assert.equal(status('/no/such').status, 127);
    assert.equal(status('/no/such').stderr, 'caisson-init: cannot execute name: errno 2\n');
    assert.equal(status().status, 127);
    assert.equal(status(plain, '/no/such').status, 126);
    assert.equal(status(plain, '/no/such').stderr, 'caisson-init: cannot execute name: errno 13\n');
    assert.equal(status(directory).status, 126);
    assert.equal(status(empty, good).status, 126);
    assert.equal(status(`/${'x'.repeat(300)}`).stderr, 'caisson-init: cannot execute name: errno 36\n');
  }),
);

test('wrong use', () => {
  for (const args of [[], ['--'], ['/bin/sh'], ['/bin/sh', '--']]) {
    const { status, stderr } = spawnSync(program('init'), args, { encoding: 'utf8' });
    assert.deepEqual([status, stderr.split(':')[0]], [125, 'usage'], args.join(' '));
  }
});

test('arguments, environment and a "--" among the arguments arrive as they are', { skip }, () => {
  const script = 'printf "%s|" "$0" "$@" "$MARK"';
  const env = ['env', '-i', 'MARK=set'];
  const { stdout } = run([...SHELL, script, 'zero', '', '--', 'a b', '\u00e9'], { prefix: env });
  assert.equal(stdout, 'zero||--|a b|\u00e9|set|');
});

test('the program has the signal mask and the ignored signals that init was given', { skip }, () => {
  const fields = (text: string, name: string) =>
    BigInt(`0x${new RegExp(`${name}:\\s+(\\w+)`).exec(text)?.[1]}`);
  const bit = (signal: number) => 1n << BigInt(signal - 1);
  const prefix = ['env', '--ignore-signal=CHLD', '--ignore-signal=USR2', '--block-signal=USR1'];
  const { stdout, status } = run(['/bin/cat', '--', 'cat', '/proc/self/status'], { prefix });
  assert.equal(status, 0);
  assert.equal(fields(stdout, 'SigBlk'), bit(constants.signals.SIGUSR1));
  const ignored = fields(stdout, 'SigIgn');
  for (const signal of [constants.signals.SIGCHLD, constants.signals.SIGUSR2])
    assert.ok(ignored & bit(signal));
  const clean = run(['/bin/cat', '--', 'cat', '/proc/self/status']).stdout;
  assert.equal(fields(clean, 'SigBlk'), 0n);
});

/** The PID, in this namespace, of the first child of `pid`. */
async function childOf(pid: number): Promise<number> {
  for (let tries = 0; tries < 400; tries++) {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0];
    if (first) return Number(first);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${pid} has no child`);
}

class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout = '';

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  async until(pattern: RegExp): Promise<void> {
    for (let tries = 0; tries < 1000 && !pattern.test(this.stdout); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.match(this.stdout, pattern);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

test('every signal reaches the program', { skip }, async () => {
  // KILL and STOP cannot be caught, CHLD is init's; 32 and 33 belong to the C library and cannot be trapped.
  const signals = Array.from({ length: 64 }, (_, index) => index + 1).filter(
    (n) => ![9, 17, 19, 32, 33].includes(n),
  );
  const script = `for s in ${signals.join(' ')}; do trap "echo got $s." $s; done; echo ready; while :; do sleep 60 & wait; done`;
  const running = new Running('unshare', [
    ...UNSHARE,
    program('init'),
    '/bin/bash',
    '--',
    'bash',
    '-c',
    script,
  ]);
  await running.until(/ready/);
  const init = await childOf(running.child.pid as number);
  for (const signal of signals) {
    process.kill(init, signal);
    await running.until(new RegExp(`got ${signal}\\.`));
  }
  const got = [...running.stdout.matchAll(/got (\d+)\./g)].map((match) => Number(match[1]));
  assert.deepEqual(got, signals);
  process.kill(await childOf(init), 'SIGKILL');
  assert.equal(await running.ended, 137);
});

test('a signal that the program does not handle ends it, and so init', { skip }, async () => {
  const running = new Running('unshare', [
    ...UNSHARE,
    program('init'),
    ...SHELL,
    'echo ready; exec sleep 60',
  ]);
  await running.until(/ready/);
  process.kill(await childOf(running.child.pid as number), 'SIGTERM');
  assert.equal(await running.ended, 143);
});

test('orphans are reaped, also where init shares the PIDs of the host', { skip }, async () => {
  const script =
    'for i in $(seq 100); do (sh -c "sleep 0.05 & exit 0"); done; sleep 0.2; echo ready; read end; exit 3';
  for (const unshare of [
    [...UNSHARE, program('init')],
    ['--uts', program('init')],
  ]) {
    if (!root && unshare.includes('--uts')) continue;
    const running = new Running('unshare', [...unshare, ...SHELL, script]);
    await running.until(/ready/);
    const pid = running.child.pid as number;
    const init = unshare.includes('--uts') ? pid : await childOf(pid);
    const children = readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').trim().split(' ');
    assert.equal(children.length, 1, children.join(' '));
    running.child.stdin?.end('go\n');
    assert.equal(await running.ended, 3);
  }
});

test('what outlives the program ends with init', { skip }, () => {
  // The orphan holds our end of its output, so that run() would wait for it in vain.
  assert.equal(run([...SHELL, '(setsid sleep 60 &); exit 6']).status, 6);
});

test('init needs no /proc', { skip: root ? skip : 'needs root' }, () => {
  const script = `umount -l /proc && exec ${program('init')} /bin/sh -- sh -c 'ls -d /proc/1; kill -TERM $$'`;
  const { status, stdout } = spawnSync('unshare', ['-pfm', 'sh', '-c', script], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [143, '']);
});

test('signals and deaths at the same time lose no status', { skip }, () => {
  const rounds = process.env.CAISSON_LONG === '1' ? 300 : 20;
  const script =
    'trap "" USR1; (while kill -USR1 1; do :; done) & for i in 1 2 3 4 5 6 7 8; do (exit 1); done; exit 42';
  for (let round = 0; round < rounds; round++) assert.equal(run([...SHELL, script]).status, 42);
});

const hasScript = spawnSync('script', ['--version']).status === 0;

test(
  'on a terminal the program is the foreground group, and ^C reaches it once',
  { skip: hasScript ? skip : 'script(1) is absent' },
  () =>
    withDirectory(async (directory) => {
      // Fields 5 and 8 of /proc/PID/stat: process group, foreground group of the terminal.
      const body = `read -r pid _ _ _ group _ _ front _ < /proc/self/stat
trap 'echo interrupted' INT
echo "front $((group == front)) leader $((pid == group))."
read line; echo "read $line."; read line; exit 4`;
      const file = join(directory, 'body');
      writeFileSync(file, body);
      const command = ['exec', 'unshare', ...UNSHARE, program('init'), '/bin/bash', '--', 'bash', file].join(
        ' ',
      );
      const running = new Running('script', ['-qec', command, '/dev/null']);
      await running.until(/front 1 leader 1\./);
      running.child.stdin?.write('one\n');
      await running.until(/read one\./);
      running.child.stdin?.write('\x03');
      await running.until(/interrupted/);
      running.child.stdin?.write('two\n');
      assert.equal(await running.ended, 4);
      assert.equal(running.stdout.match(/interrupted/g)?.length, 1);
    }),
);
