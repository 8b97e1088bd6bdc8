// What an engine gets through its sockets from create and exec: the terminal's master, and a pidfd.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, afterEach, test } from 'node:test';
import { Started } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const python =
  spawnSync('python3', ['-c', 'import socket; socket.recv_fds'], { stdio: 'ignore' }).status === 0;

/**
 * Listens at a socket; says what message came, and of its descriptor: `terminal` what is written to it until its end,
 * `pidfd` which process it is.
 */
const ENGINE = `
import os, socket, sys
kind, path = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
print('listening', flush=True)
connection, _ = listener.accept()
data, fds, _, _ = socket.recv_fds(connection, 64, 2)
print('message', data.decode(), len(fds), flush=True)
if kind == 'pidfd':
    lines = open('/proc/self/fdinfo/%d' % fds[0]).read().split('\\n')
    print([line for line in lines if line.startswith('Pid:')][0].split()[1], flush=True)
else:
    os.write(fds[0], b'typed\\n')
    seen = b''
    while True:
        try: piece = os.read(fds[0], 4096)
        except OSError: break
        if not piece: break
        seen += piece
    print(seen.decode(), flush=True)
`;

for (const runtime of RUNTIMES) {
  const { name } = runtime;
  const skip = runtime.skip || (!python && 'python3 is not there to receive a descriptor');
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  const running = new Set<string>();
  afterEach(() => {
    for (const id of running) harness.call(['delete', '--force', id]);
    running.clear();
  });

  async function engine(kind: 'terminal' | 'pidfd'): Promise<{ path: string; started: Started }> {
    // Longer than the 108 bytes of sun_path.
    const directory = harness.makeDirectory(`engine-${'x'.repeat(100)}`);
    const child = spawn('python3', ['-c', ENGINE, kind, 'socket'], { cwd: directory });
    const started = new Started(child);
    await started.untilPrinted('listening');
    return { path: `${directory}/socket`, started };
  }

  const TALK = 'read line; echo "got $line"; tty; test -t 0 && test -t 1 && test -t 2 && echo all';

  test(`${name}: exec sends the terminal and a pidfd to the engine's sockets`, { skip }, async () => {
    const id = harness.newId();
    running.add(id);
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    const [terminal, pidfd] = [await engine('terminal'), await engine('pidfd')];
    const pidFile = `${harness.directory}/pid`;
    const sockets = ['--console-socket', terminal.path, '--pidfd-socket', pidfd.path];
    const flags = ['--tty', '--detach', '--pid-file', pidFile, ...sockets];
    harness.succeed(['exec', ...flags, id, 'sh', '-c', TALK]);
    const heard = (await terminal.started.end()).stdout.replaceAll('\r', '').split('\n').slice(1);
    assert.equal(heard[0], 'message /dev/ptmx 1');
    assert.deepEqual(heard.slice(1, 5), ['typed', 'got typed', '/dev/pts/0', 'all']);
    const told = (await pidfd.started.end()).stdout.split('\n').slice(1);
    assert.equal(told[0], 'message setns 1');
    // It may have ended meanwhile: -1.
    assert.ok([readFileSync(pidFile, 'utf8'), '-1'].includes(told[1] ?? ''), told[1]);
  });

  test(`${name}: create sends the terminal and a pidfd to the engine's sockets`, { skip }, async () => {
    const id = harness.newId();
    running.add(id);
    const [terminal, pidfd] = [await engine('terminal'), await engine('pidfd')];
    const bundle = harness.bundle({ process: { terminal: true } }, TALK);
    const sockets = ['--console-socket', terminal.path, '--pidfd-socket', pidfd.path];
    harness.succeed(['create', '-b', bundle, ...sockets, id]);
    const { pid } = harness.stateOf(id);
    assert.equal((await pidfd.started.end()).stdout.split('\n')[2], String(pid));
    harness.succeed(['start', id]);
    const heard = (await terminal.started.end()).stdout.replaceAll('\r', '').split('\n').slice(1);
    assert.deepEqual(heard.slice(0, 5), ['message /dev/ptmx 1', 'typed', 'got typed', '/dev/pts/0', 'all']);
  });

  test(`${name}: exec: a socket that is not there is named`, { skip }, () => {
    const id = harness.newId();
    running.add(id);
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    for (const flag of ['--console-socket', '--pidfd-socket']) {
      const flags = flag === '--console-socket' ? ['--tty', '--detach'] : [];
      const { code, stderr } = harness.call(['exec', ...flags, flag, '/none/socket', id, 'true']);
      assert.equal(code, 255);
      assert.match(stderr, /\/none\/socket: no such file or directory/);
    }
  });
}
