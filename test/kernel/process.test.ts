// The settings of the process itself: limits, scheduling, memory policy, personality, directory, environment, keys.
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, rootless, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Numbers of system calls on x86-64. */
const NR = { sched_getattr: 315, ioprio_get: 252, get_mempolicy: 239, keyctl: 250, personality: 135 };
const x86 = process.arch === 'x64' ? skip : skip || 'numbers of x86-64';

/** Little-endian words of a buffer in hexadecimal. */
function words(hex: string, width = 4): number[] {
  const bytes = Buffer.from(hex, 'hex');
  return Array.from({ length: bytes.length / width }, (_, index) =>
    width === 8 ? Number(bytes.readBigUInt64LE(index * 8)) : bytes.readInt32LE(index * 4),
  );
}

test('limits are lowered, and seen in /proc/self/limits', { skip }, () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    { type: 'RLIMIT_NPROC', soft: 500, hard: 600 },
    { type: 'RLIMIT_FSIZE', soft: 1048576, hard: 2097152 },
    { type: 'RLIMIT_STACK', soft: 4194304, hard: 8388608 },
    { type: 'RLIMIT_MSGQUEUE', soft: 4096, hard: 8192 },
  ];
  const limits = harness.ociOutput({ process: { rlimits } }, 'cat /proc/self/limits').split('\n');
  const limit = (name: string) =>
    limits
      .find((line) => line.startsWith(name))
      ?.slice(26)
      .trim()
      .split(/\s+/)
      .slice(0, 2);
  assert.deepEqual(limit('Max open files'), ['100', '200']);
  assert.deepEqual(limit('Max core file size'), ['0', '0']);
  assert.deepEqual(limit('Max processes'), ['500', '600']);
  assert.deepEqual(limit('Max file size'), ['1048576', '2097152']);
  assert.deepEqual(limit('Max stack size'), ['4194304', '8388608']);
  assert.deepEqual(limit('Max msgqueue size'), ['4096', '8192']);
  const flag = harness.output(
    ['--ulimit', 'nofile=64:65', '--ulimit', 'core=0'],
    'ulimit -n; ulimit -Hn; ulimit -c',
  );
  assert.equal(flag, '64\n65\n0');
});

test('a caller with few descriptors is told so', { skip }, () => {
  const ended = harness.run([], 'echo ran', { prefix: ['prlimit', '--nofile=24:24'] });
  if (ended.code === 0) return;
  assert.equal(ended.code, 125);
  assert.match(ended.stderr, /\(EMFILE\)[\s\S]*system call/);
});

test('64-bit limits are exact', { skip }, () => {
  const infinity = '18446744073709551615';
  const config = JSON.stringify(
    harness.configuration({ process: { rlimits: 'LIMITS' } }, 'cat /proc/self/limits'),
  );
  const limits = `[{"type":"RLIMIT_FSIZE","soft":9007199254740993,"hard":${infinity}},{"type":"RLIMIT_AS","soft":${infinity},"hard":${infinity}}]`;
  const bundle = harness.makeDirectory('bundle');
  writeConfig(bundle, config.replace('"LIMITS"', limits));
  const { code, stdout, stderr } = harness.ociRun(bundle);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Max file size +9007199254740993 +unlimited/);
  assert.match(stdout, /Max address space +unlimited +unlimited/);
});

function writeConfig(bundle: string, text: string): void {
  writeFileSync(`${bundle}/config.json`, text);
}

test('raising a limit above the hard one fails, and the field is named', { skip }, () => {
  const prefix = ['prlimit', '--nofile=1000:1000'];
  const process = {
    rlimits: [
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_NOFILE', soft: 2000, hard: 2000 },
    ],
  };
  // CAP_SYS_RESOURCE of the first user namespace would allow it.
  const resource =
    (BigInt(`0x${readFileSync('/proc/self/status', 'utf8').match(/CapEff:\s*(\S+)/)?.[1] ?? '0'}`) >> 24n) &
    1n;
  if (resource === 1n && !rootless) return;
  const ended = harness.oci({ process }, 'true', { prefix });
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /limit RLIMIT_NOFILE to 2000.*\(EPERM\)/);
  assert.match(ended.stderr, /\/process\/rlimits\/1/);
  const flag = harness.run(['--ulimit', 'nofile=2000:2000'], 'true', { prefix });
  assert.equal(flag.code, 125);
  assert.match(flag.stderr, /caused by --ulimit nofile=2000:2000/);
});

test('the score for the killer of memory', { skip }, () => {
  const score = 'cat /proc/self/oom_score_adj';
  assert.equal(harness.ociOutput({ process: { oomScoreAdj: 321 } }, score), '321');
  assert.equal(harness.output(['--oom-score-adj', '500'], score), '500');
  assert.equal(harness.output([], score), readFileSync('/proc/self/oom_score_adj', 'utf8').trim());
});

test('scheduling policy and nice value', { skip: x86 }, () => {
  const get = `syscall ${NR.sched_getattr} 0 b:48 48 0`;
  const attributes = (scheduler: unknown) =>
    words(harness.ociOutput({ process: { scheduler } }, get).split(' ')[1] ?? '');
  const SCHED_BATCH = 3;
  const SCHED_IDLE = 5;
  const batch = attributes({ policy: 'SCHED_BATCH', nice: 7 });
  assert.deepEqual([batch[1], batch[4]], [SCHED_BATCH, 7]);
  assert.equal(attributes({ policy: 'SCHED_IDLE' })[1], SCHED_IDLE);
  assert.equal(attributes({ policy: 'SCHED_OTHER', nice: 3 })[4], 3);
  assert.equal(words(harness.output(['--scheduler', 'batch'], get).split(' ')[1] ?? '')[1], SCHED_BATCH);
});

test('real-time scheduling of root', { skip: x86 || rootOnly }, () => {
  const ended = harness.oci(
    { process: { scheduler: { policy: 'SCHED_FIFO', priority: 5 } } },
    `syscall ${NR.sched_getattr} 0 b:48 48 0`,
  );
  if (ended.code === 1) {
    assert.match(ended.stderr, /schedule with SCHED_FIFO.*\(EPERM\)[\s\S]*\/process\/scheduler/);
    return;
  }
  const [, policy, , , , priority] = words(ended.stdout.split(' ')[1] ?? '');
  assert.deepEqual([policy, priority], [1, 5]);
});

test('I/O priority', { skip: x86 }, () => {
  const get = `syscall ${NR.ioprio_get} 1 0`;
  const value = (priority: unknown) => harness.ociOutput({ process: { ioPriority: priority } }, get);
  assert.equal(value({ class: 'IOPRIO_CLASS_BE', priority: 6 }), String((2 << 13) | 6));
  assert.equal(value({ class: 'IOPRIO_CLASS_IDLE', priority: 0 }), String(3 << 13));
  assert.equal(harness.output(['--ioprio', 'best-effort:2'], get), String((2 << 13) | 2));
});

test('memory policy', { skip: x86 }, () => {
  const MPOL_BIND = 2;
  const get = `syscall ${NR.get_mempolicy} b:4 0 0 0 0`;
  const ended = harness.oci({ linux: { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0' } } }, get);
  if (/ENOSYS/.test(ended.stderr)) return;
  assert.equal(ended.code, 0, ended.stderr);
  assert.deepEqual(words(ended.stdout.trim().split(' ')[1] ?? ''), [MPOL_BIND]);
  assert.deepEqual(words(harness.ociOutput({}, get).split(' ')[1] ?? ''), [0]);
});

test('personality', { skip: x86 }, () => {
  const machine = harness.ociOutput({}, 'uname -m');
  assert.equal(machine, 'x86_64');
  assert.equal(harness.ociOutput({ linux: { personality: { domain: 'LINUX32' } } }, 'uname -m'), 'i686');
  assert.equal(harness.output(['--personality', 'linux32'], 'uname -m'), 'i686');
});

test('host name, domain name, and neither without', { skip }, () => {
  assert.equal(
    harness.ociOutput(
      { hostname: 'box-1', domainname: 'example.test' },
      'hostname; cat /proc/sys/kernel/domainname',
    ),
    'box-1\nexample.test',
  );
  assert.equal(
    harness.output(
      ['--hostname', 'box-2', '--domainname', 'd.test'],
      'hostname; cat /proc/sys/kernel/domainname /etc/hostname; grep -c box-2 /etc/hosts',
    ),
    'box-2\nd.test\nbox-2\n1',
  );
  assert.match(harness.output([], 'hostname'), /^[0-9a-f]{12}$/);
});

test('sysctls of the namespaces', { skip }, () => {
  const linux = {
    sysctl: {
      'kernel.msgmax': '9000',
      'net.ipv4.ip_forward': '1',
      'net.ipv4.conf.lo.forwarding': '0',
      'fs.mqueue.msg_max': '12',
    },
  };
  const script =
    'cd /proc/sys; cat kernel/msgmax net/ipv4/ip_forward net/ipv4/conf/lo/forwarding fs/mqueue/msg_max';
  assert.equal(harness.ociOutput({ linux }, script), '9000\n1\n0\n12');
  assert.equal(
    harness.output(
      ['--sysctl', 'net.ipv4.ip_unprivileged_port_start=0'],
      'cat /proc/sys/net/ipv4/ip_unprivileged_port_start',
    ),
    '0',
  );
});

test("the host's own values stay", { skip: rootOnly }, () => {
  const before = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
  harness.ociOutput({ linux: { sysctl: { 'kernel.msgmax': '9001' } } }, 'true');
  assert.equal(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), before);
});

test('the loopback device is up', { skip }, () => {
  assert.match(harness.ociOutput({}, 'ip addr show lo'), /<LOOPBACK,UP,LOWER_UP>[\s\S]*127\.0\.0\.1\/8/);
});

test('the working directory is entered, and made where it is missing', { skip }, () => {
  assert.equal(harness.ociOutput({ process: { cwd: '/home/alice' } }, 'pwd'), '/home/alice');
  assert.equal(harness.ociOutput({ process: { cwd: '/made/by/caisson' } }, 'pwd'), '/made/by/caisson');
  assert.equal(statSync(`${harness.rootfs}/made/by/caisson`).mode & 0o777, 0o755);
  assert.equal(harness.output(['-w', '/tmp'], 'pwd'), '/tmp');
  const file = harness.oci({ process: { cwd: '/etc/passwd' } }, 'pwd');
  assert.equal(file.code, 1);
  assert.match(file.stderr, /find \/etc\/passwd: .*\(ENOTDIR\)[\s\S]*\/process\/cwd/);
});

test('a directory that the user may not enter is refused', { skip: rootOnly }, () => {
  const process = { cwd: '/root', user: { uid: 1000, gid: 1001 } };
  const ended = harness.oci({ process }, 'pwd');
  assert.equal(ended.stdout, '/root\n');
});

test('the environment is exactly what is given', { skip }, () => {
  const process = {
    env: ['PATH=/bin', 'A=1', 'EMPTY=', 'SPACES=a  b', 'EQUALS=a=b', 'LINES=a\nb', 'HOME=/x'],
    args: ['/bin/env', '-0'],
  };
  assert.deepEqual(harness.ociOutput({ process }, '').split('\0').slice(0, -1), process.env);
  const flags = ['-e', 'GIVEN=1', '-e', 'FROM_CALLER', '-e', 'UNSET_BY_CALLER', '-e', 'HOME=/x'];
  const shown = harness
    .output(flags, 'env', { env: { FROM_CALLER: 'yes', NOT_ASKED: 'secret' } })
    .split('\n');
  for (const line of ['GIVEN=1', 'FROM_CALLER=yes', 'HOME=/x']) assert.ok(shown.includes(line), line);
  for (const name of ['NOT_ASKED', 'UNSET_BY_CALLER'])
    assert.ok(!shown.some((line) => line.startsWith(name)), name);
});

test('a session keyring of its own', { skip: x86 }, () => {
  const KEYCTL_DESCRIBE = 6;
  const KEY_SPEC_SESSION_KEYRING = -3;
  const describe = `syscall ${NR.keyctl} ${KEYCTL_DESCRIBE} ${KEY_SPEC_SESSION_KEYRING} b:64 64`;
  const name = (output: string) => Buffer.from(output.split(' ')[1] ?? '', 'hex').toString('latin1');
  assert.match(name(harness.ociOutput({}, describe)), /;_ses\.caisson-test-/);
});

test('a session and a process group of its own', { skip }, () => {
  assert.equal(
    harness
      .ociOutput({ process: { args: ['/bin/cat', '/proc/self/stat'] } }, '')
      .split(' ')
      .slice(4, 7)
      .join(' '),
    '1 1 0',
  );
});

test('only the three standard descriptors are passed on', { skip }, () => {
  const ended = harness.oci({}, 'ls /proc/self/fd', {
    prefix: ['bash', '-c', 'exec 9</etc/passwd 200</etc/passwd; exec "$@"', 'bash'],
  });
  assert.equal(ended.stdout, '0\n1\n2\n3\n', ended.stderr);
});

test('signals have their default actions and none is blocked', { skip }, () => {
  const show = 'grep -E "^Sig(Blk|Ign)" /proc/self/status | cut -f2';
  assert.equal(harness.ociOutput({}, show), '0000000000000000\n0000000000000000');
  assert.equal(harness.output([], show), '0000000000000000\n0000000000000000');
});

test('CPU affinity that the caller has stays within the cpuset', { skip: rootOnly }, () => {
  const show = 'grep Cpus_allowed_list /proc/self/status | cut -f2';
  assert.equal(harness.output(['--cpuset-cpus', '0'], show), '0');
});
