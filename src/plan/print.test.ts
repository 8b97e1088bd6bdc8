// Plans and calls as text: strace's words, secrets, causes, bytes that a terminal must not get.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as F from '../linux/flags.ts';
import { type Call, call, NULL, number, outBuffer, pointer, slot, string, struct, value } from './call.ts';
import { printCall, printPlan, sourceOf } from './print.ts';
import { type Plan, step } from './step.ts';
import * as sys from './syscalls.ts';

const fd = slot('fd');

/** Each line was seen in the output of strace 6.1, with 5 in place of the slot. */
const LINES: readonly (readonly [string, Call])[] = [
  ['close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)', sys.closeRange(3, 0xffffffff, 4)],
  ['openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC)', sys.openat(-100, '/etc/passwd', 0x80000)],
  [
    'openat(AT_FDCWD, "/x/\\1\\377\\"x", O_RDONLY|O_CREAT|O_CLOEXEC, 0644)',
    sys.openat(-100, '/x/\x01\xff"x', 0x80040, 0o644),
  ],
  [
    'openat2(<fd>, "x", {flags=O_RDONLY|O_CLOEXEC|O_PATH, resolve=RESOLVE_NO_MAGICLINKS}, 24)',
    sys.openat2(fd, 'x', 0x280000, 2),
  ],
  [
    'openat2(<fd>, "x", {flags=O_RDONLY|O_CREAT|O_CLOEXEC, mode=0600, resolve=RESOLVE_NO_MAGICLINKS}, 24)',
    sys.openat2(fd, 'x', 0x80040, 2, {}, 0o600),
  ],
  ['mknodat(<fd>, "x", S_IFCHR|0666, makedev(0x1, 0x3))', sys.mknodat(fd, 'x', 0o020666, 0x103)],
  ['mknodat(<fd>, "x", S_IFREG|0644)', sys.mknodat(fd, 'x', 0o100644)],
  ['fchown(<fd>, 0, -1)', call('fchown', [value(fd), number(0), number(0xffffffff)])],
  ['fsconfig(<fd>, FSCONFIG_SET_FLAG, "ro", NULL, 0)', sys.fsconfigFlag(fd, 'ro')],
  ['fsconfig(<fd>, FSCONFIG_CMD_CREATE, NULL, NULL, 0)', sys.fsconfigCreate(fd)],
  [
    'mount_setattr(<fd>, "", AT_EMPTY_PATH|AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY, attr_clr=0, propagation=MS_PRIVATE, userns_fd=0}, 32)',
    sys.mountSetattr(fd, '', 0x9000, { set: 1, clear: 0, propagation: 1 << 18 }),
  ],
  ['prctl(PR_SET_KEEPCAPS, 1)', sys.prctl(8, 1)],
  ['prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)', sys.prctl(38, 1)],
  [
    'prctl(PR_CAPBSET_DROP, CAP_CHOWN)',
    call('prctl', [number(24, F.PRCTL_OPERATIONS), number(0, F.CAPABILITY), number(0), number(0), number(0)]),
  ],
  ['setgroups(0, NULL)', call('setgroups', [number(0), NULL])],
  ['setresgid(0, -1, 0)', call('setresgid', [number(0), number(0xffffffff), number(0)])],
  ['ioctl(<fd>, TIOCSPTLCK, [0])', sys.ioctl(fd, 0x40045431, struct({ name: 'locked', width: 4, value: 0 }))],
  ['ioctl(<fd>, TIOCGPTPEER, 0x80102)', sys.ioctl(fd, 0x5441, 0x80102)],
  ['ioctl(<fd>, NS_GET_NSTYPE)', sys.ioctl(fd, 0xb703, 0)],
  ['umask(022)', sys.umask(0o22)],
  ['umask(000)', sys.umask(0)],
  ['fcntl(<fd>, F_ADD_SEALS, F_SEAL_SEAL|F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE)', sys.fcntl(fd, 1033, 15)],
  ['mount(".", "/", NULL, MS_MOVE, NULL)', sys.mount('.', '/', null, 0x2000, null)],
  [
    'execve("/x", ["a", "b"], ["A=b"])',
    sys.execve('/x', ['a', 'b'], { kind: 'pointers', items: [{ kind: 'string', bytes: 'A=b' }] }),
  ],
];

test('calls are printed as strace prints them', () => {
  for (const [line, made] of LINES) assert.equal(printCall(made), line);
});

test('the two halves of a capability set are one, a limit is counted in 1024', () => {
  const halves = [0, 1].flatMap((half) =>
    (['effective', 'permitted', 'inheritable'] as const).map((name) => ({
      name,
      width: 4,
      value: name === 'effective' ? ([0x20, 0x100][half] ?? 0) : 0,
    })),
  );
  const header = struct(
    { name: 'version', width: 4, value: 0x20080522 },
    { name: 'pid', width: 4, value: 0 },
  );
  assert.equal(
    printCall(call('capset', [pointer(header, 'fixed'), pointer(struct(...halves), 'fixed')])),
    'capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_KILL|1<<CAP_CHECKPOINT_RESTORE, permitted=0, inheritable=0})',
  );
  const limit = struct(
    { name: 'rlim_cur', width: 8, value: 4096 },
    { name: 'rlim_max', width: 8, value: 2n ** 64n - 1n },
  );
  assert.equal(
    printCall(call('prlimit64', [number(0), number(7, F.RLIMIT), pointer(limit, 'fixed'), NULL])),
    'prlimit64(0, RLIMIT_NOFILE, {rlim_cur=4*1024, rlim_max=RLIM64_INFINITY}, NULL)',
  );
});

test('results, tolerated errnos and the operations of the player', () => {
  assert.equal(
    printCall(sys.openat(-100, '/x', 0, 0, { result: fd, tolerate: [2, 20] })),
    'openat(AT_FDCWD, "/x", O_RDONLY) = <fd> /* or ENOENT, ENOTDIR */',
  );
  assert.equal(
    printCall(sys.mkdirat(fd, 'x', 0o755, { tolerate: [17] })),
    'mkdirat(<fd>, "x", 0755) /* or EEXIST */',
  );
  assert.equal(
    printCall(sys.check(fd, 'GE', 0, 9, { result: slot('copy') })),
    'CHECK <fd> >= 0 else EBADF = <copy>',
  );
  assert.equal(
    printCall(sys.check(fd, 'EQ', 47, 2, { mask: 0xffn })),
    'CHECK (<fd> & 0xff) == 47 else ENOENT',
  );
  assert.equal(printCall(sys.pause(2)), 'PAUSE started');
  assert.equal(
    printCall(sys.dec(slot('pid'), { kind: 'decimal', prefix: '/proc/', slot: slot('pid') })),
    'DEC "/proc/<pid>"',
  );
  assert.equal(
    printCall(sys.fork({ flags: 0x20001000, pidfd: slot('pidfd', { width: 4 }) }, { result: slot('pid') })),
    'clone3({flags=CLONE_PIDFD|CLONE_NEWPID, exit_signal=SIGCHLD, stack=NULL, stack_size=0} => {pidfd=[<pidfd>]}, 88) = <pid>',
  );
});

test('what the kernel fills is printed by name', () => {
  assert.equal(printCall(sys.read(fd, outBuffer('answer', 16))), 'read(<fd>, [answer], 16)');
  assert.equal(
    printCall(sys.pipe2(slot('a', { width: 4 }), slot('b', { width: 4 }), 0x80000)),
    'pipe2([<a>, <b>], O_CLOEXEC)',
  );
  const statfs = struct(
    { name: 'f_type', width: 8, value: slot('type') },
    { name: 'rest', width: 112, value: 0 },
  );
  assert.equal(
    printCall(call('fstatfs', [value(fd), pointer(statfs, 'fixed')])),
    'fstatfs(<fd>, {f_type=<type>, ...})',
  );
});

test('secrets are masked, and shown when asked for', () => {
  const env = {
    kind: 'pointers' as const,
    items: ['TOKEN=a=b', 'NAME'].map((bytes) => ({ kind: 'string' as const, bytes, secret: true })),
  };
  const made = sys.execve('/x', ['x'], env);
  assert.equal(printCall(made), 'execve("/x", ["x"], ["TOKEN=***", "***"])');
  assert.equal(printCall(made, { showSecrets: true }), 'execve("/x", ["x"], ["TOKEN=a=b", "NAME"])');
  const write = sys.write(fd, 'hunter2', { secret: true });
  assert.equal(printCall(write), 'write(<fd>, "***", 7)');
  assert.equal(printCall(write, { showSecrets: true }), 'write(<fd>, "hunter2", 7)');
});

test('names of slots cannot act on the terminal or pretend to be more than one', () => {
  assert.equal(printCall(sys.close(slot('a>\n\x1b[31m\xe9'))), 'close(<a\\76\\12\\33[31m\\351>)');
});

const PLAN: Plan = {
  steps: [
    step('parent', 'a', 'begin', 'default: why', [sys.umask(0)]),
    step('parent', 'fork', 'clone', [], [sys.fork({ flags: 0, pidfd: slot('pidfd', { width: 4 }) }, {})]),
    step('parent', 'c', 'wait', '/process', [sys.pause(2)]),
    step('child', 'b', 'mount \xc3\xa9\x1b at /x', ['/mounts/0/source', '/mounts/0'], [sys.chdir('/')]),
  ],
};

test('steps stand in the order of play, in three sections, with their causes', () => {
  assert.equal(
    printPlan(PLAN),
    [
      'parent: the launcher, up to the clone',
      `${'    1  begin'.padEnd(60)}  <- default: why`,
      '    2  clone',
      '',
      'child: becomes the container',
      `${'    3  mount \u00e9\\x1b at /x'.padEnd(60)}  <- /mounts/0/source, /mounts/0`,
      '',
      'parent: the launcher, beside the child',
      `${'    4  wait'.padEnd(60)}  <- /process`,
      '',
    ].join('\n'),
  );
});

test('with calls, and in the words of the front end', () => {
  const sources = new Map([
    ['/mounts/0', '--volume /x:/y'],
    ['/process', 'jail.conf:12'],
  ]);
  const text = printPlan(PLAN, { calls: true, sources });
  assert.match(text, /<- --volume \/x:\/y\n {9}chdir\("\/"\)\n/);
  assert.match(text, /wait +<- jail\.conf:12\n {9}PAUSE started\n/);
  assert.equal(sourceOf('/mounts/0/options/3', sources), '--volume /x:/y');
  assert.equal(sourceOf('/mounts/01', sources), '/mounts/01');
  assert.equal(sourceOf('default: x', sources), 'default: x');
});

test("a string that is not the kernel's own kind of argument is quoted, too", () => {
  assert.equal(
    printCall(call('keyctl', [number(1, F.KEYCTL_OPERATIONS), string('_ses."x"')])),
    'keyctl(KEYCTL_JOIN_SESSION_KEYRING, "_ses.\\"x\\"")',
  );
});
