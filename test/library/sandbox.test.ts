// `Sandbox`: what a program in it can do, see and use up; how it ends; and that nothing is left.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CaissonError, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** A sandbox with the test's own small root, read and written copy-on-write. */
function options(more: SandboxOptions = {}): SandboxOptions {
  const { flags, ...rest } = more;
  return { stateRoot: harness.state, flags: { cgroupParent: `/${harness.cgroup}`, ...flags }, ...rest };
}

async function within<T>(work: (sandbox: Sandbox) => Promise<T>, more?: SandboxOptions): Promise<T> {
  const sandbox = await Sandbox.create(options(more));
  try {
    return await work(sandbox);
  } finally {
    await sandbox.kill();
    assert.deepEqual(readdirSync(harness.state), []);
  }
}

const code = (expected: string) => (error: unknown) =>
  error instanceof CaissonError && error.code === expected;

test('a shell command and a list, with input, environment and directory', { skip }, () =>
  within(
    async (sandbox) => {
      const shell = await sandbox.run('cat; echo $A $B; pwd; echo oops >&2; exit 3', {
        input: 'given\n',
        env: { B: 'run' },
        cwd: '/usr',
      });
      assert.equal(shell.stdout, 'given\nsandbox run\n/usr\n');
      assert.deepEqual([shell.stderr, shell.exitCode, shell.signal, shell.timedOut], ['oops\n', 3, 0, false]);
      const list = await sandbox.run(['printf', '%s|', 'ä b', '$A']);
      assert.equal(list.stdout, 'ä b|$A|');
      const killed = await sandbox.run('kill -9 $$');
      assert.deepEqual([killed.exitCode, killed.signal, killed.oom], [137, 9, false]);
    },
    { env: { A: 'sandbox' } },
  ),
);

test('what cannot be started says why', { skip }, () =>
  within(async (sandbox) => {
    const absent = await sandbox.run(['nothing-of-that-name']).catch((error: unknown) => error);
    assert.ok(absent instanceof CaissonError);
    assert.deepEqual([absent.code, absent.exitCode], ['ENOTFOUND', 127]);
    const denied = await sandbox.run(['/etc/passwd']).catch((error: unknown) => error);
    assert.ok(denied instanceof CaissonError);
    assert.equal(denied.exitCode, 126);
    await assert.rejects(sandbox.run(['true'], { cwd: '/no/such' }), /change to \/no\/such: no such file/);
    await assert.rejects(sandbox.run([]), code('EUSAGE'));
    assert.equal((await sandbox.run('echo still')).stdout, 'still\n');
  }),
);

test('programs run beside each other, each with its own output', { skip }, () =>
  within(async (sandbox) => {
    const many = Array.from({ length: 12 }, (_, index) =>
      sandbox.run(`sleep 0.0${index % 4}; echo ${index}; head -c 200000 /dev/zero | tr '\\0' x >&2`),
    );
    const results = await Promise.all(many);
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      results.map((_, index) => `${index}\n`),
    );
    for (const { stderr } of results) assert.equal(stderr, 'x'.repeat(200_000));
  }),
);

test('output as it comes, and no more of it than is asked for', { skip }, () =>
  within(async (sandbox) => {
    const pieces: string[] = [];
    const slow = await sandbox.run('echo one; sleep 0.2; printf "\\303"; sleep 0.2; printf "\\244\\n"', {
      onOutput: ({ stream, text }) => pieces.push(`${stream} ${text}`),
    });
    assert.deepEqual(pieces, ['stdout one\n', 'stdout ', 'stdout ä\n']);
    assert.equal(slow.stdout, 'one\nä\n');
    const much = await sandbox.run('head -c 5000000 /dev/zero | tr "\\0" y', { maxOutput: 1000 });
    assert.deepEqual([much.stdout, much.truncated, much.exitCode], ['y'.repeat(1000), true, 0]);
    const large = new Uint8Array(9_000_000).fill(65);
    const counted = await sandbox.run('wc -c', { input: large });
    assert.equal(counted.stdout.trim(), '9000000');
  }),
);

test('a time limit kills the whole tree, an abort signal too', { skip }, () =>
  within(async (sandbox) => {
    const begin = performance.now();
    const late = await sandbox.run('(setsid sleep 987654 &) ; sleep 987654', { timeout: 200 });
    assert.deepEqual([late.timedOut, late.exitCode, late.signal], [true, 137, 9]);
    assert.ok(performance.now() - begin < 5000);
    assert.equal((await sandbox.run('ps -o args | grep -c "^sleep 987654"')).stdout.trim(), '0');
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort(new Error('enough'));
    }, 100);
    await assert.rejects(sandbox.run('sleep 987654', { signal: stop.signal }), /enough/);
  }),
);

test('nobody in it: no privilege, no network, no home of the host, a root that forgets', {
  skip,
}, async () => {
  await within(async (sandbox) => {
    const { stdout } = await sandbox.run(
      'id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status',
    );
    const words = stdout.split(/\s+/);
    assert.equal(words[0], '65534');
    assert.match(stdout, /CapEff:\s0{16}\nCapBnd:\s0{16}\nNoNewPrivs:\s1\nSeccomp:\s2\n/);
    assert.equal((await sandbox.run('ls /sys/class/net')).stdout, 'lo\n');
    assert.equal((await sandbox.run('ls -A /root /home | wc -w')).stdout.trim(), '2');
    assert.notEqual((await sandbox.run('cat /etc/shadow')).exitCode, 0);
    await sandbox.run('echo x > /tmp/left');
  });
  await within(async (sandbox) => {
    assert.equal((await sandbox.run('ls -A /tmp')).stdout, '');
  });
});

test('limits of memory and processes', { skip }, () =>
  within(
    async (sandbox) => {
      const hungry = await sandbox.run([
        'awk',
        'BEGIN { text = "0123456789abcdef"; for (;;) text = text text }',
      ]);
      assert.deepEqual([hungry.exitCode, hungry.oom], [137, true]);
      const bomb = await sandbox.run('for i in $(seq 40); do sleep 3 & done; wait', { timeout: 10_000 });
      assert.match(bomb.stderr, /[Cc]annot fork/);
      // The sandbox itself has survived both.
      assert.equal((await sandbox.run(['echo', 'alive'])).stdout, 'alive\n');
    },
    { memory: '32m', pids: 20 },
  ),
);

test('files are read, written, listed and removed inside', { skip }, () =>
  within(async (sandbox) => {
    const { files } = sandbox;
    await files.write('/tmp/a/b/text', 'hällo');
    assert.equal(
      (await sandbox.run('cat /tmp/a/b/text; stat -c %u:%a /tmp/a/b/text')).stdout,
      'hällo65534:644\n',
    );
    await files.write('/tmp/a/b/text', 'short');
    assert.equal(await files.read('/tmp/a/b/text'), 'short');
    const large = new Uint8Array(3_000_001).map((_, index) => index % 251);
    await files.write('/tmp/large', large);
    assert.deepEqual(await files.readBytes('/tmp/large'), large);
    await assert.rejects(files.readBytes('/tmp/large', { limit: 1000 }), code('E2BIG'));
    await sandbox.run('ln -s /etc/hostname /tmp/a/link; mkfifo /tmp/a/fifo; mkdir /tmp/a/dir');
    assert.deepEqual(await files.list('/tmp/a'), [
      { name: 'b', type: 'directory' },
      { name: 'dir', type: 'directory' },
      { name: 'fifo', type: 'other' },
      { name: 'link', type: 'symlink' },
    ]);
    await assert.rejects(files.read('/tmp/absent'), code('ENOTFOUND'));
    await assert.rejects(files.read('/tmp/a/fifo'), code('ENOTFILE'));
    await assert.rejects(files.read('/dev/zero'), code('ENOTFILE'));
    await assert.rejects(files.remove('/tmp/a'), code('EISDIR'));
    await files.remove('/tmp/a', { recursive: true });
    assert.deepEqual(await files.list('/tmp'), [{ name: 'large', type: 'file' }]);
  }),
);

test('a link that leads out of the sandbox leads nowhere', { skip }, () =>
  within(async (sandbox) => {
    const outside = `${harness.directory}/outside`;
    await sandbox.run(`ln -s /proc/1/root${outside} /tmp/magic; ln -s /../../../..${outside} /tmp/up`);
    await assert.rejects(sandbox.files.write('/tmp/magic', 'x'));
    await sandbox.files.write('/tmp/up/file', 'x').catch(() => undefined);
    await sandbox.files.write(`/../../..${outside}-2`, 'x').catch(() => undefined);
    assert.equal(
      readdirSync(harness.directory).some((name) => name.startsWith('outside')),
      false,
    );
  }),
);

test('a read-only root', { skip }, () =>
  within(
    async (sandbox) => {
      assert.match((await sandbox.run('echo x > /usr/x')).stderr, /[Rr]ead-only|denied/);
      await assert.rejects(sandbox.files.write('/usr/x', 'x'), /EROFS/);
      assert.equal((await sandbox.run('echo x > /tmp/x; cat /tmp/x')).stdout, 'x\n');
    },
    { readOnly: true },
  ),
);

test('paused and resumed', { skip }, () =>
  within(async (sandbox) => {
    const running = sandbox.run('for i in 1 2 3 4; do echo $i; sleep 0.1; done');
    await sandbox.pause();
    assert.equal(sandbox.status, 'paused');
    await assert.rejects(sandbox.run('true'), code('ESTATUS'));
    await sandbox.resume();
    assert.equal((await running).stdout, '1\n2\n3\n4\n');
    await assert.rejects(sandbox.resume(), code('ENOTPAUSED'));
    // Killed while paused.
    await sandbox.pause();
  }),
);

test('a sandbox that has ended', { skip }, async () => {
  const sandbox = await Sandbox.create(options({ lifetime: 300 }));
  const running = sandbox.run('sleep 987653');
  await assert.rejects(running, code('ENOTRUNNING'));
  await sandbox.ended;
  await assert.rejects(sandbox.run('true'), code('ENOTRUNNING'));
  await assert.rejects(sandbox.files.read('/etc/passwd'), code('ENOTRUNNING'));
  await sandbox.kill();
  assert.doesNotMatch(cmdlines(), /987653/);
});

function cmdlines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .join('\n');
}

test('a pool: each place is used once', { skip }, async () => {
  const pool = await Sandbox.pool({ ...options(), size: 2 });
  try {
    const runs = Array.from({ length: 6 }, () => pool.run('ls -A /tmp; echo x > /tmp/used'));
    for (const { stdout, exitCode } of await Promise.all(runs)) assert.deepEqual([stdout, exitCode], ['', 0]);
    const place = await pool.take();
    assert.equal((await place.run('echo mine')).stdout, 'mine\n');
    await place.kill();
  } finally {
    await pool.close();
  }
  await assert.rejects(pool.take(), code('ENOTRUNNING'));
  assert.deepEqual(readdirSync(harness.state), []);
});

test('many runs leave no descriptor and no process', { skip }, async () => {
  const count = () => readdirSync('/proc/self/fd').length;
  await within(async (sandbox) => {
    for (let index = 0; index < 20; index++) await sandbox.run(['true'], { input: 'x' });
    const before = count();
    for (let index = 0; index < 200; index++) await sandbox.run(['true'], { input: 'x' });
    assert.ok(count() <= before);
    // The first process, the shell, ls and grep may be seen.
    const seen = Number((await sandbox.run('ls /proc | grep -c "^[0-9]"')).stdout);
    assert.ok(seen <= 4, `${seen} processes`);
  });
  harness.assertNothingLeft();
});

test('a program that is killed takes its sandbox with it', { skip }, async () => {
  const library = import.meta.url.replace(/test\/library\/[^/]*\.(ts|js)$/, 'src/index.$1');
  const file = `${harness.directory}/killed.mjs`;
  writeFileSync(
    file,
    `import { Sandbox } from ${JSON.stringify(library)};
    const sandbox = await Sandbox.create(${JSON.stringify(options())});
    await sandbox.run('setsid sleep 876543 & echo begun; sleep 876543', { onOutput: ({ text }) => console.log(text) });`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  assert.match(cmdlines(), /sleep 876543/);
  child.kill('SIGKILL');
  for (let tries = 0; tries < 200 && /sleep 876543/.test(cmdlines()); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.doesNotMatch(cmdlines(), /sleep 876543/);
  // Its record and empty cgroups are for the repair.
  assert.equal(harness.caisson(['--runtime-root', harness.state, 'system', 'repair']).code, 0);
  assert.deepEqual(readdirSync(harness.state), []);
});
