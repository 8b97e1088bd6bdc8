// A whole run under the embedded QuickJS: the same core, another host, the same container.
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { after, test } from 'node:test';
import {
  type Caller,
  type Ended,
  Harness,
  type Part,
  STRANGER,
  type Started,
  rootOnly as skip,
  subordinateCaller,
} from '../harness/caisson.ts';
import { QjsProgram, type Stdio } from './qjs.ts';

const harness = new Harness();
const program = skip === false ? new QjsProgram(harness, 'oci-run-program') : undefined;
after(() => {
  harness.close();
});

function start(bundle: string, stdio?: Stdio): Started {
  if (program === undefined) throw new Error('skipped');
  return program.start([harness.state, bundle, harness.newId()], stdio);
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
    const qjs = new QjsProgram(theirs, 'oci-run-program');
    return await inTime(qjs.start([theirs.state, theirs.bundle(parts, script), theirs.newId()]));
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

test('a program that is killed', { skip }, async () => {
  const started = start(harness.bundle({}, 'echo ready; exec sleep 60'));
  await started.untilPrinted('ready');
  process.kill(childOf(childOf(started.child.pid ?? 0)), 'SIGKILL');
  assert.equal((await started.end()).code, 137);
});

test('a container ends with its QuickJS', { skip }, async () => {
  const marker = `4321.${process.pid}`;
  const started = start(harness.bundle({}, `echo ready; exec sleep ${marker}`));
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
  harness.caisson(['system', 'repair']);
});

test('errors are one line with the field that they come from, and leave nothing', { skip }, async () => {
  const absent = await run({ process: { args: ['/bin/absent'] } }, '');
  assert.equal(absent.code, 127);
  assert.match(absent.stderr, /^caisson: .*\/bin\/absent.*\n {2}caused by \/process\/args/);
  const mounts = [{ destination: '/data', type: 'bind', source: '/nowhere', options: ['bind'] }];
  const mount = await run({ mounts: mounts as unknown as Part }, 'true');
  assert.equal(mount.code, 125);
  assert.match(mount.stderr, /^caisson: .*\/nowhere.*\n {2}caused by \/mounts\/0/);
  const none = await start('/nowhere').end();
  assert.equal(none.code, 125);
  assert.match(none.stderr, /config\.json: no such file/);
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
