// `-t`: a terminal of the container's own, its size, its keys, and the caller's terminal as it was afterwards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, MOUNTS, skip as noRun } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const python = spawnSync('python3', ['-c', 'import pty'], { stdio: 'ignore' }).status === 0;
const skip = noRun || (!python && 'python3 is not there to make a terminal');

/**
 * Runs a command on a new terminal of 33 rows and 101 columns. Each line of its own script is `expect TEXT`,
 * `send TEXT`, `size ROWS COLUMNS`; prints what the terminal got, then the exit code and whether its modes are back.
 */
const DRIVER = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
steps, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, master = pty.fork()
if pid == 0:
    time.sleep(0.05)
    os.execvp(command[0], command)
def size(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(33, 101)
before = termios.tcgetattr(master)
seen, at, deadline = b'', 0, time.time() + 15
def pump(wait):
    global seen
    ready, _, _ = select.select([master], [], [], wait)
    if not ready: return True
    try: piece = os.read(master, 65536)
    except OSError: return False
    seen += piece
    return bool(piece)
for step in steps:
    if step[0] == 'expect':
        while step[1].encode() not in seen[at:] and time.time() < deadline:
            if not pump(0.05): break
        found = seen.find(step[1].encode(), at)
        at = found + len(step[1]) if found >= 0 else at
    elif step[0] == 'send': os.write(master, step[1].encode())
    elif step[0] == 'size': size(step[1], step[2])
    elif step[0] == 'wait': time.sleep(step[1])
modes = None
while time.time() < deadline:
    done, status = os.waitpid(pid, os.WNOHANG)
    try: modes = termios.tcgetattr(master)
    except termios.error: pass
    if done: break
    pump(0.02)
else:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    status = 9
while pump(0.05) and select.select([master], [], [], 0)[0]: pass
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
sys.stdout.write(json.dumps({'output': seen.decode('latin1'), 'code': code, 'restored': modes == before}))
`;

type Step = readonly [string, ...(string | number)[]];

interface Seen {
  readonly output: string;
  readonly code: number;
  readonly restored: boolean;
}

const driver = `${harness.directory}/driver.py`;
writeFileSync(driver, DRIVER);

function onTerminal(args: readonly string[], steps: readonly Step[] = []): Seen {
  const prefix = ['python3', driver, JSON.stringify(steps)];
  const [program = '', ...words] = harness.commandLine(args, { prefix });
  const { stdout, stderr } = spawnSync(program, words, {
    encoding: 'utf8',
    cwd: harness.directory,
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Seen;
}

const run = (flags: readonly string[], script: string, steps: readonly Step[] = []) =>
  onTerminal(harness.runArguments(flags, script), steps);
const lines = (output: string) => output.split('\r\n').filter((line) => line !== '');

test("standard input, output and error are the container's own terminal", { skip }, () => {
  const script =
    'tty; for f in 0 1 2; do test -t $f && echo $f; done; stat -c %t /dev/console; ls /dev/pts | tr "\\n" " "; cat /proc/self/stat | cut -d" " -f7';
  const seen = run(['-it'], script);
  assert.equal(seen.code, 0, seen.output);
  // 136:0, pts(4).
  assert.deepEqual(lines(seen.output), ['/dev/pts/0', '0', '1', '2', '88', '0 ptmx 34816']);
});

test('/dev/console is the terminal too', { skip }, () => {
  assert.deepEqual(lines(run(['-it'], 'echo through > /dev/console; echo tty > /dev/tty').output), [
    'through',
    'tty',
  ]);
});

test("the window has the size of the caller's, at the start and after a change", { skip }, () => {
  const script =
    "trap 'echo changed; stty size; exit 0' WINCH; stty size; echo ready; while :; do sleep 0.05; done";
  const seen = run(['-it'], script, [
    ['expect', 'ready'],
    ['size', 50, 132],
    ['expect', 'changed'],
    ['expect', '50 132'],
  ]);
  assert.equal(seen.code, 0, seen.output);
  assert.deepEqual(lines(seen.output).slice(-2), ['changed', '50 132']);
  assert.match(seen.output, /33 101/);
});

test("consoleSize is the size without a caller's terminal", { skip }, () => {
  const ended = harness.oci(
    { process: { terminal: true, consoleSize: { height: 21, width: 77 } } },
    'stty size; tty',
  );
  assert.equal(ended.code, 0, ended.stderr);
  // Without a terminal of the caller nobody needs carriage returns, and runc makes none.
  assert.equal(ended.stdout, '21 77\n/dev/pts/0\n');
});

test('keys go to the container: lines, Ctrl-C, Ctrl-D', { skip }, () => {
  const echo = run(['-it'], 'read line; echo "got $line"', [
    ['wait', 0.4],
    ['send', 'hello\r'],
    ['expect', 'got hello'],
  ]);
  assert.match(echo.output, /got hello/);
  const interrupted = run(
    ['-it'],
    "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done",
    [
      ['expect', 'ready'],
      ['wait', 0.1],
      ['send', '\x03'],
      ['expect', 'interrupted'],
    ],
  );
  assert.equal(interrupted.code, 5, interrupted.output);
  assert.match(interrupted.output, /interrupted/);
  const ended = run(['-it'], 'cat; echo end', [
    ['wait', 0.4],
    ['send', '\x04'],
    ['expect', 'end'],
  ]);
  assert.equal(ended.code, 0);
});

test("the caller's terminal is raw meanwhile and restored afterwards", { skip }, () => {
  for (const script of ['true', 'exit 3', 'stty -echo raw; true'])
    assert.equal(run(['-it'], script).restored, true, script);
  assert.equal(onTerminal(['run', '-it', '--rootfs', harness.rootfs, '/no/such']).restored, true);
});

test('a program that fails is reported on a terminal as well', { skip }, () => {
  const seen = onTerminal(['run', '-it', '--rootfs', harness.rootfs, '/no/such']);
  assert.equal(seen.code, 127);
  assert.match(seen.output, /execute \/no\/such: no such file or directory/);
});

test('a long output arrives whole, in order', { skip }, () => {
  const seen = run(['-it'], 'stty -opost; i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done');
  const expected = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`).join('');
  assert.equal(seen.output, expected);
});

test('without a terminal of the caller -t gives one all the same', { skip }, () => {
  const ended = harness.run(['-t'], 'tty; echo x');
  assert.equal(ended.stdout, '/dev/pts/0\r\nx\r\n');
});

test('-t of an ordinary user of the container: the terminal is theirs', {
  skip: skip || (harness.caller.uid !== 0 && 'the round as root'),
}, () => {
  const seen = run(['-it', '-u', 'alice'], 'stat -c %u /dev/pts/0; echo x > /dev/tty');
  assert.deepEqual(lines(seen.output), ['1000', 'x']);
});

test('a terminal without devpts is refused with the field', { skip }, () => {
  const mounts = MOUNTS.filter(({ destination }) => destination !== '/dev/pts');
  const ended = harness.oci({ process: { terminal: true }, mounts }, 'true');
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /\(ENOENT\)[\s\S]*\/process\/terminal/);
});

test('no key is lost on a program that reads late', { skip }, () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => `${String(index).padStart(5, '0')}\n`).join('');
  const script = 'stty raw -echo; echo ready; sleep 1; head -c 60000 | md5sum';
  const seen = run(['-it'], script, [
    ['expect', 'ready'],
    ['send', keys],
    ['wait', 2],
  ]);
  const { stdout } = spawnSync('md5sum', { input: keys, encoding: 'utf8' });
  assert.ok(seen.output.includes(stdout.trim()), seen.output);
});

test('a program that closes its terminal and opens it again is heard', { skip }, () => {
  const again =
    'i=0; while [ $i -lt 3000 ]; do echo line $i, and then some more of it to fill the buffer; i=$((i+1)); done';
  const seen = run(['-it'], `exec 0<&- 1>&- 2>&-; sleep 0.5; exec > /dev/console; ${again}; exit 4`);
  assert.equal(seen.code, 4, seen.output.slice(-200));
  assert.match(seen.output, /line 2999,/);
});
