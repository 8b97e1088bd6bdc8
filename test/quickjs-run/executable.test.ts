// dist/caisson-oci, the executable on the embedded QuickJS: what it is, what it needs, and whole runs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeSync,
} from 'node:fs';
import { after, test } from 'node:test';
import {
  type Caller,
  type Ended,
  Harness,
  type Part,
  STRANGER,
  Started,
  rootOnly as skip,
  subordinateCaller,
} from '../harness/caisson.ts';

/** What becomes its descriptors 0, 1 and 2. */
type Stdio = readonly ['ignore' | 'pipe', 'pipe' | number, 'pipe'];

const EXECUTABLE = `${process.cwd()}/dist/caisson-oci`;

const harness = new Harness();
after(() => {
  harness.close();
});

/** The executable where every caller may execute it. */
function copyIn(directory: string): string {
  const path = `${directory}/caisson-oci`;
  copyFileSync(EXECUTABLE, path);
  chmodSync(path, 0o755);
  return path;
}

const program = copyIn(harness.directory);

/** Starts the command of an ordinary user or of root. */
function call(theirs: Harness, path: string, args: readonly string[], stdio?: Stdio): Started {
  const { uid, gid } = theirs.caller;
  const become = ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  const [first = '', ...words] = [...(uid === 0 ? [] : become), path, '--root', theirs.state, ...args];
  const env = { PATH: '/usr/bin:/bin' };
  return new Started(
    spawn(first, words, { cwd: '/', env, stdio: [...(stdio ?? ['ignore', 'pipe', 'pipe'])] }),
  );
}

function start(bundle: string, stdio?: Stdio, id = harness.newId()): Started {
  return call(harness, program, ['run', '--bundle', bundle, id], stdio);
}

function run(parts: Part, script: string, stdio?: Stdio): Promise<Ended> {
  return inTime(start(harness.bundle(parts, script), stdio));
}

async function inTime(started: Started): Promise<Ended> {
  const timer = setTimeout(() => started.child.kill('SIGKILL'), 20_000);
  const ended = await started.end();
  clearTimeout(timer);
  return ended;
}

/** The same by an ordinary user, who has files of their own. */
async function runAs(caller: Caller, parts: Part, script: string): Promise<Ended> {
  const theirs = new Harness(caller);
  try {
    const path = copyIn(theirs.directory);
    const bundle = theirs.bundle(parts, script);
    return await inTime(call(theirs, path, ['run', '--bundle', bundle, theirs.newId()]));
  } finally {
    theirs.close();
  }
}

/** The first subordinate id of the user that set-up makes. */
function firstOf(file: string): number {
  return Number(/^caisson-test:(\d+):/m.exec(readFileSync(file, 'utf8'))?.[1]);
}

/** Whether the signal waits for the process to read it (SigBlk of proc_pid_status(5)). */
function holds(pid: number, signal: number): boolean {
  const mask = /^SigBlk:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/** The launcher of a QuickJS, or the container of a launcher. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

/** Types of the program headers (elf(5)). */
function segmentTypes(elf: Buffer): number[] {
  const [first, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => elf.readUInt32LE(first + index * size));
}

test('one static file of at most 2.5 MB', () => {
  const [PT_DYNAMIC, PT_INTERP] = [2, 3];
  const types = segmentTypes(readFileSync(EXECUTABLE));
  assert.ok(!types.includes(PT_INTERP) && !types.includes(PT_DYNAMIC), types.join(' '));
  const { size } = statSync(EXECUTABLE);
  assert.ok(size <= 2_500_000, `${size} bytes`);
});

test('no file beside it is needed, nor /proc', { skip }, () => {
  const root = harness.makeDirectory('alone');
  copyFileSync(EXECUTABLE, `${root}/caisson-oci`);
  const { stdout, stderr } = spawnSync('chroot', [root, '/caisson-oci', '--version'], { encoding: 'utf8' });
  assert.match(stdout, /^caisson-oci .*\n/, stderr);
});

test('at most 8 MiB are resident while a container runs', { skip }, async () => {
  const started = start(harness.bundle({}, 'echo ready; exec sleep 60'));
  await started.untilPrinted('ready');
  const { pid = 0 } = started.child;
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  process.kill(childOf(childOf(pid)), 'SIGKILL');
  await started.end();
  assert.ok(peak > 0 && peak <= 8 << 10, `${peak} kB`);
});

test('no process of the container is the executable (CVE-2019-5736)', { skip }, async () => {
  const started = start(harness.bundle({}, 'echo ready; exec sleep 60'));
  await started.untilPrinted('ready');
  const { pid = 0 } = started.child;
  const launcher = childOf(pid);
  const paths = [launcher, childOf(launcher)].map((each) => readlinkSync(`/proc/${each}/exe`));
  process.kill(childOf(launcher), 'SIGKILL');
  await started.end();
  assert.match(paths[0] ?? '', /^\/memfd:caisson-launcher/);
  assert.ok(!paths.includes(program), paths.join(' '));
});

test('arguments, environment and names that are not UTF-8', { skip }, async () => {
  const bundle = harness.bundle({}, 'printf "%s" "$MARK"');
  const directory = harness.makeDirectory('bytes');
  const script = `d="${directory}/$(printf 'b\\344d')"; ln -s ${bundle} "$d"; exec ${program} --root ${harness.state} run --bundle "$d" ${harness.newId()}`;
  const started = new Started(spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] }));
  const { code, stderr } = await inTime(started);
  assert.equal(code, 0, stderr);
});

test('output, exit code and what it sees of itself', { skip }, async () => {
  const script = 'echo "$$ $(id -u) $(hostname) $(ls /)"; echo wrong >&2; exit 7';
  const { code, stdout, stderr } = await run({ hostname: 'quick' }, script);
  assert.equal(stdout, `1 0 quick ${readdirSync(harness.rootfs).sort().join('\n')}\n`);
  assert.equal(stderr, 'wrong\n');
  assert.equal(code, 7);
  assert.deepEqual(readdirSync(harness.state), []);
});

test('namespaces are its own, and no descriptor but 0, 1 and 2 is passed', { skip }, async () => {
  const namespaces = ['pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup'].map((name) => `/proc/self/ns/${name}`);
  const { code, stdout, stderr } = await run(
    {},
    `for f in ${namespaces.join(' ')}; do readlink $f; done; ls /proc/1/fd; true`,
  );
  assert.equal(code, 0, stderr);
  const lines = stdout.trim().split('\n');
  assert.deepEqual(lines.splice(-3), ['0', '1', '2']);
  const ours = namespaces.map((path) => readlinkSync(path));
  assert.equal(lines.length, ours.length);
  for (const line of lines) assert.ok(!ours.includes(line), `${line} is the host's`);
});

test("input is the caller's", { skip }, async () => {
  const started = start(harness.bundle({}, 'read line; echo "got $line"; cat'), ['pipe', 'pipe', 'pipe']);
  started.child.stdin?.end('first\nsecond\n');
  const { code, stdout } = await started.end();
  assert.equal(stdout, 'got first\nsecond\n');
  assert.equal(code, 0);
});

test('a file that the caller writes to is written on, not over', { skip }, async () => {
  const path = `${harness.makeDirectory('output')}/log`;
  const fd = openSync(path, 'w');
  writeSync(fd, 'before\n');
  const { code } = await run({}, 'echo container', ['ignore', fd, 'pipe']);
  writeSync(fd, 'after\n');
  closeSync(fd);
  assert.equal(code, 0);
  assert.equal(readFileSync(path, 'utf8'), 'before\ncontainer\nafter\n');
});

test('more output than a pipe holds', { skip }, async () => {
  const { stdout } = await run(
    {},
    'i=0; while [ $i -lt 20000 ]; do echo "line $i of many lines"; i=$((i+1)); done',
  );
  assert.equal(stdout.split('\n').length, 20001);
});

test('a signal is passed on, and the container answers', { skip }, async () => {
  const started = start(
    harness.bundle({}, 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done'),
  );
  await started.untilPrinted('ready');
  await started.until(() => holds(started.child.pid ?? 0, 15), 'SIGTERM to be held');
  started.kill('SIGTERM');
  const { code, stdout } = await started.end();
  assert.equal(stdout, 'ready\ncaught\n');
  assert.equal(code, 3);
});

test('a terminal: its size, what is typed, and its modes afterwards', { skip }, async () => {
  const parts = { process: { terminal: true } } as unknown as Part;
  const bundle = harness.bundle(parts, 'stty size; echo ready; read line; echo "got $line"; exit 5');
  const oci = `${program} --root ${harness.state} run --bundle ${bundle} ${harness.newId()}`;
  const command = `stty rows 33 cols 77; before=$(stty -g); ${oci}; echo "code $?"; [ "$(stty -g)" = "$before" ] && echo restored`;
  const started = new Started(
    spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] }),
  );
  await started.untilPrinted('ready');
  started.child.stdin?.write('hello\r');
  const { stdout } = await inTime(started);
  assert.match(stdout, /^33 77\r\nready\r\nhello\r\ngot hello\r\ncode 5\r\nrestored\r\n/);
});

test('descriptors that the caller does not have are not passed on', { skip }, async () => {
  const bundle = harness.bundle({}, 'true');
  const started = call(harness, program, ['run', '--preserve-fds', '3', '--bundle', bundle, harness.newId()]);
  const { code, stderr } = await inTime(started);
  assert.equal(code, 1);
  assert.match(stderr, /unable to stat preserved-fd \d \(of 3\)/);
});

test('a program that is killed', { skip }, async () => {
  const started = start(harness.bundle({}, 'echo ready; exec sleep 60'));
  await started.untilPrinted('ready');
  process.kill(childOf(childOf(started.child.pid ?? 0)), 'SIGKILL');
  assert.equal((await started.end()).code, 137);
});

test('a container ends with its QuickJS', { skip }, async () => {
  const marker = `4321.${process.pid}`;
  const id = harness.newId();
  const started = start(harness.bundle({}, `echo ready; exec sleep ${marker}`), undefined, id);
  await started.untilPrinted('ready');
  started.kill('SIGKILL');
  await started.end();
  const sleeping = () =>
    readdirSync('/proc').some((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`\0${marker}\0`);
      } catch {
        return false;
      }
    });
  for (let tries = 0; tries < 300 && sleeping(); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(sleeping(), false);
  assert.equal((await call(harness, program, ['delete', '--force', id]).end()).code, 0);
});

test('errors are one line with the field that they come from, and leave nothing', { skip }, async () => {
  const absent = await run({ process: { args: ['/bin/absent'] } }, '');
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /^time=.* level=error msg=.*\/bin\/absent.*\n$/);
  const mounts = [{ destination: '/data', type: 'bind', source: '/nowhere', options: ['bind'] }];
  const mount = await run({ mounts: mounts as unknown as Part }, 'true');
  assert.equal(mount.code, 1);
  assert.match(mount.stderr, /^time=.*\/nowhere.*\/mounts\/0.*\n$/);
  const none = await start('/nowhere').end();
  assert.equal(none.code, 1);
  assert.match(none.stderr, /no such file or directory/);
  assert.deepEqual(readdirSync(harness.state), []);
  harness.assertNothingLeft();
});

test('rootless, with one id', { skip }, async () => {
  const { code, stdout, stderr } = await runAs(STRANGER, {}, 'id -u; cat /proc/self/uid_map');
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^0\\n +0 +${STRANGER.uid} +1\\n$`));
});

const subordinate = subordinateCaller();

test('rootless, with subordinate ids by newuidmap', {
  skip: skip || (subordinate === undefined && 'no such user'),
}, async () => {
  const { uid, gid } = subordinate ?? STRANGER;
  const maps = (own: number, first: number) => [
    { containerID: 0, hostID: own, size: 1 },
    { containerID: 1, hostID: first, size: 1000 },
  ];
  const linux = {
    uidMappings: maps(uid, firstOf('/etc/subuid')),
    gidMappings: maps(gid, firstOf('/etc/subgid')),
  } as unknown as Part;
  const script =
    'cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/x; chown 7:8 /tmp/x; stat -c %u:%g /tmp/x';
  const { code, stdout, stderr } = await runAs({ uid, gid }, { linux }, script);
  assert.equal(code, 0, stderr);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/).join(' '));
  assert.deepEqual(rows, [
    `0 ${uid} 1`,
    `1 ${firstOf('/etc/subuid')} 1000`,
    `0 ${gid} 1`,
    `1 ${firstOf('/etc/subgid')} 1000`,
    '7:8',
  ]);
});
