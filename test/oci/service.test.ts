// What a service manager hands over: $NOTIFY_SOCKET, and sockets to listen on; and further descriptors.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** The service manager of one test. */
class Manager {
  output = '';
  private readonly child: ChildProcess;

  constructor(program: string, socket: string, count: number) {
    this.child = spawn(program, ['listen', socket, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  const program = `${harness.directory}/sd-notify`;
  after(() => harness.close());

  const compile = (): void => {
    if (existsSync(program)) return;
    const source = `${process.cwd()}/test/oci/sd-notify.c`;
    const { status, stderr } = spawnSync('gcc', ['-O1', '-static', '-o', program, source], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    copyFileSync(program, `${harness.rootfs}/bin/sd-notify`);
  };

  const listening = async (socket: string, count = 3): Promise<Manager> => {
    compile();
    const manager = new Manager(program, socket, count);
    await harness.untilTrue(() => manager.output.startsWith('listening\n'), 'the manager');
    return manager;
  };

  const told = async (manager: Manager, pid: string | number): Promise<void> => {
    const expected = `listening\nREADY=1\nMAINPID=${pid}\nBARRIER=1 fd\n`;
    await harness.untilTrue(
      () => manager.output.length >= expected.length,
      `${expected}, not ${manager.output}`,
    );
    assert.equal(manager.output, expected);
  };

  // The manager hears of readiness alone, and not of what else a container may say.
  const SCRIPT = 'sd-notify tell MAINPID=1 STATUS=busy; sleep 0.2; sd-notify tell READY=1; exec sleep 1000';

  test(`${name}: start returns when the container is ready`, { skip }, async () => {
    for (const socket of [`${harness.directory}/notify`, `@caisson-test-${process.pid}`]) {
      const manager = await listening(socket);
      const env = { NOTIFY_SOCKET: socket };
      const id = harness.newId();
      try {
        harness.succeed(['create', '-b', harness.bundle({}, SCRIPT), id], { env });
        assert.equal(manager.output, 'listening\n');
        harness.succeed(['start', id], { env });
        await told(manager, harness.stateOf(id).pid);
        harness.succeed(['delete', '-f', id]);
        assert.deepEqual(readdirSync(harness.state), []);
      } finally {
        manager.close();
      }
    }
    harness.assertNothingLeft();
  });

  test(`${name}: start returns when the container ends without being ready`, { skip }, async () => {
    const socket = `${harness.directory}/never`;
    const manager = await listening(socket);
    try {
      const env = { NOTIFY_SOCKET: socket };
      const id = harness.newId();
      harness.succeed(['run', '-d', '-b', harness.bundle({}, 'sd-notify tell STOPPING=1; exit 1'), id], {
        env,
      });
      assert.equal(manager.output, 'listening\n');
      harness.succeed(['delete', id]);
    } finally {
      manager.close();
    }
  });

  test(`${name}: run: this very process is the service's`, { skip }, async () => {
    const socket = `${harness.directory}/attached`;
    const manager = await listening(socket);
    try {
      const bundle = harness.bundle({}, 'sd-notify tell READY=1; sleep 0.5; exit 7');
      const run = harness.start(['oci', 'run', '-b', bundle, harness.newId()], {
        env: { NOTIFY_SOCKET: socket },
      });
      await told(manager, run.child.pid ?? 0);
      assert.equal((await run.end()).code, 7);
      assert.deepEqual(readdirSync(harness.state), []);
    } finally {
      manager.close();
    }
  });

  test(`${name}: sockets to listen on come first, then --preserve-fds`, { skip }, () => {
    const bundle = harness.bundle({}, 'echo $LISTEN_FDS $LISTEN_PID; cat <&3; cat <&4; ls /proc/self/fd');
    for (const fd of ['first', 'second']) writeFileSync(`${harness.directory}/${fd}`, `${fd}\n`);
    const opened = `3<${harness.directory}/first 4<${harness.directory}/second 5</dev/null`;
    const command = (environment: string, options: string) => {
      const line = harness.commandLine(['oci', 'run', ...options.split(' '), '-b', bundle, harness.newId()]);
      const script = `${environment} exec ${line.map((word) => `'${word}'`).join(' ')} ${opened}`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    };
    const both = command('LISTEN_PID=$$ LISTEN_FDS=1', '--preserve-fds 1');
    assert.equal(both.stderr, '');
    assert.match(both.stdout, /^1 1\nfirst\nsecond\n0\n1\n2\n3\n4\n/);
    assert.doesNotMatch(both.stdout, /^6$/m);
    const another = command('LISTEN_PID=1 LISTEN_FDS=1', '--preserve-fds 2');
    assert.match(another.stdout, /^\nfirst\nsecond\n/);
    assert.doesNotMatch(command('', '--preserve-fds 0').stdout, /first/);
    // What is not open is what the command opens next: its launcher's channel.
    const beyond = command('', `--preserve-fds ${runtime.executable === undefined ? 40 : 4}`);
    assert.match(beyond.stderr, /unable to stat preserved-fd \d+ \(of \d+\)/);
    assert.equal(beyond.stdout, '');
  });
}
