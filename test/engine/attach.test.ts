// Attached commands: several at once, input, keys that detach, terminals and their size, readers that are slow or gone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rounds, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

/** A command on a terminal of its own, made by script(1). */
class OnTerminal {
  output = '';
  readonly ended: Promise<number>;
  private readonly child;

  constructor(args: readonly string[], size = 'rows 24 cols 80') {
    const [program = '', ...words] = box.harness.commandLine(args);
    const quoted = [program, ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    this.child = spawn('script', ['-qec', `stty ${size}; exec ${quoted}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOME: box.directory, CAISSON_DATA_ROOT: box.dataRoot, SHELL: '/bin/sh' },
    });
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.output += chunk.toString('latin1');
    });
    const limit = setTimeout(() => this.child.kill('SIGKILL'), 30_000);
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        clearTimeout(limit);
        resolve(code ?? -1);
      });
    });
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  async until(text: string): Promise<void> {
    await box.until(
      () => this.output.includes(text),
      `"${text}" on the terminal, which shows ${this.output}`,
    );
  }
}

test('two commands attach to one container: both see its output, and both may type', { skip }, async () => {
  const name = box.detached(['-i'], 'echo ready; while read line; do echo "got $line"; done');
  const first = box.start(['attach', name], { stdin: 'pipe' });
  const second = box.start(['attach', '--no-stdin', name]);
  await box.until(() => box.log(name).includes('ready'), 'the start');
  await new Promise((resolve) => setTimeout(resolve, 500));
  first.child.stdin?.write('one\n');
  await first.untilPrinted('got one');
  await second.untilPrinted('got one');
  box.output(['kill', name]);
  assert.deepEqual([(await first.end()).code, (await second.end()).code], [137, 137]);
  failed(box.call(['attach', name]), 1, /cannot attach to a stopped container/);
  box.clear();
});

test('a terminal: its size, keys that detach, attaching again', { skip }, async () => {
  const script = 'stty size; while read line; do echo "<$line>"; stty size; done';
  const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', script];
  const run = new OnTerminal(['run', '--rm=false', '-it', '--name', 'tty', ...root], 'rows 33 cols 101');
  await run.until('33 101');
  run.type('hello\r');
  await run.until('<hello>');
  run.type('\u0010\u0011');
  assert.equal(await run.ended, 0);
  assert.match(run.output, /read escape sequence/);
  const again = new OnTerminal(['attach', 'tty'], 'rows 20 cols 60');
  await new Promise((resolve) => setTimeout(resolve, 500));
  again.type('back\r');
  await again.until('<back>');
  await again.until('20 60');
  again.type('\u0004');
  assert.equal(await again.ended, 0, again.output);
  assert.equal(box.output(['wait', 'tty']), '0');
  box.clear();
});

test('other keys; bytes of a pipe are never keys', { skip }, async () => {
  const root = [
    '--rootfs',
    box.harness.rootfs,
    '/bin/sh',
    '-c',
    'echo up; while read line; do echo "<$line>"; done',
  ];
  const run = new OnTerminal([
    'run',
    '--rm=false',
    '-it',
    '--detach-keys',
    'ctrl-x',
    '--name',
    'keys',
    ...root,
  ]);
  await run.until('up');
  run.type('\u0018');
  assert.equal(await run.ended, 0);
  box.output(['rm', '-f', 'keys']);
  const piped = box.call(
    ['run', '--rm=false', '-i', '--name', 'piped', '--rootfs', box.harness.rootfs, '/bin/cat'],
    {
      input: 'a\u0010\u0011b',
    },
  );
  assert.deepEqual([piped.code, piped.stdout], [0, 'a\u0010\u0011b']);
  box.clear();
});

test('signals of an attached command reach the container', { skip }, async () => {
  const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c'];
  const script = 'trap "exit 42" TERM; echo ready; while :; do sleep 0.05; done';
  const run = box.start(['run', '--rm=false', '--name', 'signals', ...root, script]);
  await run.untilPrinted('ready');
  run.kill('SIGTERM');
  assert.equal((await run.end()).code, 42);
  box.clear();
});

test('a command that is killed leaves the container as it is', { skip }, async () => {
  const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', 'echo ready; sleep 0.5; echo later; exit 6'];
  const run = box.start(['run', '--rm=false', '--name', 'left', ...root]);
  await run.untilPrinted('ready');
  run.kill('SIGKILL');
  assert.equal(box.output(['wait', 'left']), '6');
  assert.match(box.log('left'), /later/);
  box.clear();
});

test('F23: a slow reader holds the container back and loses nothing; one that goes does neither', {
  skip,
}, async () => {
  const name = box.detached(['-i'], 'read go; seq 1 200000; echo end');
  const slow = box.start(['attach', name], { stdin: 'pipe' });
  await new Promise((resolve) => setTimeout(resolve, 500));
  slow.child.stdout?.pause();
  slow.child.stdin?.write('go\n');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(!box.log(name).includes('end\\n'), 'the container waits for its reader');
  slow.child.stdout?.resume();
  const { code, stdout } = await slow.end();
  assert.equal(code, 0);
  assert.equal(stdout, `${Array.from({ length: 200_000 }, (_, index) => index + 1).join('\n')}\nend\n`);
  const other = box.detached(['-i'], 'read go; seq 1 200000; echo end');
  const gone = box.start(['attach', other], { stdin: 'pipe' });
  await new Promise((resolve) => setTimeout(resolve, 500));
  gone.child.stdout?.pause();
  gone.child.stdin?.write('go\n');
  await new Promise((resolve) => setTimeout(resolve, 300));
  gone.kill('SIGKILL');
  assert.equal(box.output(['wait', other]), '0');
  assert.ok(box.log(other).includes('end\\n'));
  box.clear();
});

test('T62: clients that come and go leave no descriptor behind', { skip }, async () => {
  const name = box.detached(['-i'], 'while read line; do echo "$line"; done');
  const [monitor = 0] = box.monitors();
  const open = (): number => readdirSync(`/proc/${monitor}/fd`).length;
  const before = open();
  for (let round = 0; round < rounds(20, 1000); round++) {
    const clients = [0, 1, 2].map(() => box.start(['attach', name], { stdin: 'pipe' }));
    if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const client of clients) client.kill('SIGKILL');
    for (const client of clients) await client.end();
  }
  await box.until(() => open() === before, `${before} descriptors`);
  assert.match(readFileSync(`/proc/${monitor}/status`, 'utf8'), /^VmRSS:\s+\d{1,3} kB$/m);
  box.output(['rm', '-f', name]);
  box.clear();
});
