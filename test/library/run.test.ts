// What the library's `run` returns and throws, on the engine that runs this test.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CaissonError, type RunFlags, type RunOutput, run } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const { rootfs, state: stateRoot } = harness;

function sh(script: string, flags: RunFlags = {}): Promise<RunOutput> {
  return run({ command: ['/bin/sh', '-c', script], flags: { rootfs, ...flags }, stateRoot });
}

/** The standard output of a script that must succeed. */
async function output(script: string, flags: RunFlags = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await sh(script, flags);
  assert.equal(exitCode, 0, stderr);
  return stdout.trimEnd();
}

async function failure(promise: Promise<unknown>): Promise<CaissonError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof CaissonError, String(error));
    return error;
  }
  return assert.fail('it was not refused');
}

test('output, error output and exit code, each apart', { skip }, async () => {
  const ended = await sh('echo one; echo two >&2; printf "\\303\\274 \\377"; exit 9');
  assert.deepEqual(ended, {
    exitCode: 9,
    signal: 0,
    stdout: 'one\nü \ufffd',
    stderr: 'two\n',
    warnings: [],
  });
});

test('input is empty', { skip }, async () => {
  assert.equal(await output('cat | wc -c; readlink /proc/self/fd/0'), '0\n/dev/null');
});

test('a signal', { skip }, async () => {
  const { exitCode, signal, stdout } = await run({
    // PID 1 takes SIGKILL from nobody inside, so another process runs into a limit of CPU time that kills PID 1.
    command: ['/bin/sh', '-c', 'echo before; ulimit -t 1; while :; do :; done'],
    flags: { rootfs },
    stateRoot,
  });
  assert.deepEqual([exitCode, signal, stdout], [137, 9, 'before\n']);
});

test('a large output, in full', { skip }, async () => {
  const { stdout, stderr } = await sh(
    'head -c 3000000 /dev/zero | tr "\\0" a; head -c 500000 /dev/zero | tr "\\0" b >&2',
  );
  assert.equal(stdout, 'a'.repeat(3_000_000));
  assert.equal(stderr, 'b'.repeat(500_000));
});

test('a container that leaves a child with its output is over when its first process is', {
  skip,
}, async () => {
  const begin = performance.now();
  assert.equal(await output('sleep 30 & echo parent'), 'parent');
  assert.ok(performance.now() - begin < 10_000);
});

test('flags', { skip }, async () => {
  const place = harness.makeDirectory('volume');
  writeFileSync(`${place}/file`, 'from the host\n');
  const flags: RunFlags = {
    hostname: 'named',
    user: 'alice',
    workdir: '/home/alice',
    env: ['GREETING=grüß dich', 'EMPTY='],
    volume: [`${place}:/data:ro`],
    tmpfs: ['/scratch:size=64k'],
    memory: '64m',
    pidsLimit: '17',
    ulimit: ['nofile=123:456'],
    readOnly: true,
  };
  const script = `
    hostname; id -u; id -g; pwd; echo "$GREETING[$EMPTY]"; cat /data/file
    (echo x > /data/file) 2>/dev/null && echo written
    (echo x > /root-file) 2>/dev/null && echo written
    grep -c ' /scratch tmpfs .*size=64k' /proc/mounts
    ulimit -Sn; ulimit -Hn
    cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
    cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true`;
  const expected = [
    'named',
    '1000',
    '1001',
    '/home/alice',
    'grüß dich[]',
    'from the host',
    '1',
    '123',
    '456',
  ];
  assert.deepEqual((await output(script, flags)).split('\n'), [...expected, String(64 << 20), '17']);
});

test('a volume is written to', { skip }, async () => {
  const place = harness.makeDirectory('volume');
  await output('echo from the container > /data/file', { volume: [`${place}:/data`] });
  assert.equal(readFileSync(`${place}/file`, 'utf8'), 'from the container\n');
});

test("the image `host` is this machine's own files, copied on write", { skip }, async () => {
  const { stdout, exitCode, stderr } = await run({
    command: ['/bin/sh', '-c', 'cat /etc/os-release; touch /made-by-a-test; ls /made-by-a-test'],
    stateRoot,
  });
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, `${readFileSync('/etc/os-release', 'utf8')}/made-by-a-test\n`);
  assert.throws(() => statSync('/made-by-a-test'));
});

test('relative paths are from where the program is now, and variables are what they are now', {
  skip,
}, async () => {
  const before = process.cwd();
  const place = harness.makeDirectory('work');
  mkdirSync(`${place}/data`);
  writeFileSync(`${place}/data/file`, 'here\n');
  process.env.CAISSON_LIBRARY_TEST = 'set in the program';
  process.chdir(place);
  try {
    const flags = { volume: ['./data:/data'], env: ['CAISSON_LIBRARY_TEST'] };
    assert.equal(
      await output('cat /data/file; echo "$CAISSON_LIBRARY_TEST"', flags),
      'here\nset in the program',
    );
  } finally {
    process.chdir(before);
    delete process.env.CAISSON_LIBRARY_TEST;
  }
  assert.equal(await output('echo "[$CAISSON_LIBRARY_TEST]"', { env: ['CAISSON_LIBRARY_TEST'] }), '[]');
});

test('127 and 126: a program that is not there, and one that cannot be executed', { skip }, async () => {
  const absent = await failure(run({ command: ['no-such-program'], flags: { rootfs }, stateRoot }));
  assert.equal(absent.exitCode, 127);
  assert.match(absent.message, /no-such-program/);
  assert.ok(absent.provenance.includes('/process/args/0') || absent.provenance.includes('/process/args'));
  const directory = await failure(run({ command: ['/etc/passwd'], flags: { rootfs }, stateRoot }));
  assert.equal(directory.exitCode, 126);
  assert.match(directory.message, /\/etc\/passwd/);
});

test('125: what caisson refuses, with the flag that it comes from', { skip }, async () => {
  const volume = await failure(sh('true', { volume: ['/no/such/directory:/data'] }));
  assert.equal(volume.exitCode, 125);
  assert.match(volume.message, /\/no\/such\/directory/);
  assert.match(volume.sources.join(), /--volume \/no\/such\/directory:\/data/);
  assert.match(volume.provenance.join(), /^\/mounts\//);
  const memory = await failure(sh('true', { memory: 'much' }));
  assert.equal(memory.exitCode, 125);
  assert.match(`${memory.message} ${memory.sources.join()}`, /--memory/);
  const user = await failure(sh('true', { user: 'nobody-of-that-name' }));
  assert.equal(user.exitCode, 125);
  assert.match(user.message, /nobody-of-that-name/);
  const terminal = await failure(sh('true', { tty: true }));
  assert.equal(terminal.code, 'EUSAGE');
});

test('what has failed leaves nothing', { skip }, async () => {
  harness.assertNothingLeft();
  assert.deepEqual(readdirSync(stateRoot), []);
});

test("20 at once, each with what is its own, without the engine's warning of many listeners", {
  skip,
}, async () => {
  const warnings: Error[] = [];
  const listener = (warning: Error) => warnings.push(warning);
  process.on('warning', listener);
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      sh(`echo ${index}; sleep 0.2; echo ${index} >&2; exit ${index}`),
    ),
  );
  assert.deepEqual(
    all.map(({ exitCode, stdout, stderr }) => [exitCode, stdout, stderr]),
    all.map((_, index) => [index, `${index}\n`, `${index}\n`]),
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off('warning', listener);
  assert.deepEqual(warnings, []);
  harness.assertNothingLeft();
});

test('20 at once that all fail', { skip }, async () => {
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, () => run({ command: ['/no'], flags: { rootfs }, stateRoot })),
  );
  for (const one of all)
    assert.equal(one.status === 'rejected' && one.reason instanceof CaissonError && one.reason.exitCode, 127);
  harness.assertNothingLeft();
});

test('the time is kept, and timers of the program run meanwhile', { skip }, async () => {
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
  }, 20);
  const { exitCode, signal } = await sh('sleep 30', { timeout: '500ms' });
  clearInterval(ticking);
  assert.deepEqual([exitCode, signal], [137, 9]);
  assert.ok(ticks >= 5, `${ticks} ticks in half a second`);
});
