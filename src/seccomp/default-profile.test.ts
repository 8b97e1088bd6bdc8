// The default profile call by call: what containers may do, what they may not, and that the filter says the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syscalls as aarch64 } from '../linux/abi/aarch64.ts';
import { syscalls as i386 } from '../linux/abi/x86.ts';
import { syscalls as x86_64 } from '../linux/abi/x86_64.ts';
import { AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64 } from '../linux/constants/seccomp.ts';
import { ALLOWED, ALLOWED_32_BIT, ALLOWED_BY_ARCH, ALLOWED_BY_CAPABILITY } from './allowed-syscalls.ts';
import { compileSeccomp } from './compile.ts';
import { defaultProfile } from './default-profile.ts';
import { interpret } from './interpret.ts';
import { decide } from './reference.ts';

const AARCH64 = aarch64();
const I386 = i386();
const X86_64 = x86_64();

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

const { instructions } = compileSeccomp(defaultProfile('x86_64', []), 'x86_64');

function verdict(name: keyof typeof X86_64, ...args: readonly (number | bigint)[]): number {
  return interpret(instructions, { nr: X86_64[name], arch: AUDIT_ARCH_X86_64, args });
}

test('no name is listed twice, and every name exists somewhere', () => {
  assert.equal(new Set(ALLOWED).size, ALLOWED.length);
  const known = { ...X86_64, ...AARCH64 };
  assert.deepEqual(
    ALLOWED.filter((name) => !Object.hasOwn(known, name)),
    [],
  );
  for (const names of Object.values(ALLOWED_BY_CAPABILITY)) {
    for (const name of names) assert.ok(!ALLOWED.includes(name), `${name} is allowed without its capability`);
  }
  const foreign = { ...I386, ...known };
  const strange = [...ALLOWED_32_BIT, ...ALLOWED_BY_ARCH.x86_64].filter(
    (name) => !Object.hasOwn(foreign, name),
  );
  // i386 has these inside socketcall only.
  assert.deepEqual(strange.sort(), ['recv', 'send']);
});

test('what programs live on is allowed', () => {
  for (const name of [
    'read',
    'openat',
    'mmap',
    'execve',
    'futex',
    'ptrace',
    'seccomp',
    'close_range',
  ] as const) {
    assert.equal(verdict(name), ALLOW, name);
  }
});

test('doors to the host are closed', () => {
  const closed = [
    ...([
      'io_uring_setup',
      'io_uring_enter',
      'io_uring_register',
      'bpf',
      'userfaultfd',
      'perf_event_open',
    ] as const),
    ...([
      'keyctl',
      'add_key',
      'request_key',
      'kexec_load',
      'kexec_file_load',
      'init_module',
      'finit_module',
    ] as const),
    ...([
      'delete_module',
      'mount',
      'umount2',
      'pivot_root',
      'move_mount',
      'fsopen',
      'fsmount',
      'open_tree',
    ] as const),
    ...([
      'mount_setattr',
      'unshare',
      'setns',
      'open_by_handle_at',
      'swapon',
      'reboot',
      'iopl',
      'ioperm',
    ] as const),
    ...([
      'settimeofday',
      'clock_settime',
      'sethostname',
      'syslog',
      'quotactl',
      'acct',
      'vhangup',
      'uselib',
    ] as const),
    ...([
      'process_madvise',
      'pidfd_getfd',
      'kcmp',
      'mbind',
      'migrate_pages',
      'move_pages',
      'chroot',
    ] as const),
  ];
  for (const name of closed) assert.equal(verdict(name), EPERM, name);
});

test('calls that are newer than the profile do not exist', () => {
  const last = X86_64.removexattrat;
  const from = (nr: number) => interpret(instructions, { nr, arch: AUDIT_ARCH_X86_64 });
  assert.deepEqual([last, last + 1, 1000, 0x3fffffff].map(from), [ALLOW, ENOSYS, ENOSYS, ENOSYS]);
  // Numbers that were left out below it are not new.
  assert.equal(from(400), EPERM);
});

test('other ABIs are killed unless the profile is made for them', () => {
  assert.equal(interpret(instructions, { nr: 3, arch: AUDIT_ARCH_I386 }), KILL_PROCESS);
  assert.equal(interpret(instructions, { nr: 0x40000000, arch: AUDIT_ARCH_X86_64 }), KILL_PROCESS);
  const wide = compileSeccomp(defaultProfile('x86_64', [], { foreignAbis: true }), 'x86_64').instructions;
  assert.equal(interpret(wide, { nr: I386.mmap2, arch: AUDIT_ARCH_I386 }), ALLOW);
  assert.equal(interpret(wide, { nr: I386.unshare, arch: AUDIT_ARCH_I386 }), EPERM);
  assert.equal(interpret(wide, { nr: 0x40000000, arch: AUDIT_ARCH_X86_64 }), ALLOW);
  assert.equal(interpret(wide, { nr: 0x40000000 + X86_64.unshare, arch: AUDIT_ARCH_X86_64 }), EPERM);
});

test('new namespaces need CAP_SYS_ADMIN', () => {
  const [newNet, newUser, sigchld] = [0x40000000, 0x10000000, 17];
  assert.equal(verdict('clone', sigchld), ALLOW);
  assert.equal(verdict('clone', sigchld | newUser), EPERM);
  assert.equal(verdict('clone', sigchld | newNet), EPERM);
  assert.equal(verdict('clone3'), ENOSYS);
  const admin = compileSeccomp(defaultProfile('x86_64', ['CAP_SYS_ADMIN']), 'x86_64').instructions;
  for (const name of ['clone', 'clone3', 'unshare', 'setns', 'mount', 'bpf'] as const) {
    const data = { nr: X86_64[name], arch: AUDIT_ARCH_X86_64, args: [newUser] };
    assert.equal(interpret(admin, data), ALLOW, name);
  }
  assert.equal(interpret(admin, { nr: X86_64.init_module, arch: AUDIT_ARCH_X86_64 }), EPERM);
});

test('AF_ALG and AF_VSOCK are closed also with bits that the kernel ignores', () => {
  for (let family = 0; family < 64; family++) {
    const expected = family === 38 || family === 40 ? EPERM : ALLOW;
    assert.equal(verdict('socket', family), expected, `family ${family}`);
    assert.equal(
      verdict('socket', BigInt(family) | (0xdeadbeefn << 32n)),
      expected,
      `family ${family} in 64 bits`,
    );
  }
  assert.equal(verdict('socket', 64 + 38), EPERM);
});

test('personality changes uname at most', () => {
  for (const persona of [0, 8, 0x20000, 0x20008, 0xffffffff, 0xffffffffffffffffn]) {
    assert.equal(verdict('personality', persona), ALLOW, String(persona));
  }
  // ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, PER_LINUX32_3GB.
  for (const persona of [0x40000, 0x400000, 0x8000008]) assert.equal(verdict('personality', persona), EPERM);
});

test('capabilities open their own calls', () => {
  for (const [capability, names] of Object.entries(ALLOWED_BY_CAPABILITY)) {
    const filter = compileSeccomp(defaultProfile('x86_64', [capability]), 'x86_64');
    for (const name of names) {
      const nr = (X86_64 as Record<string, number>)[name];
      if (nr === undefined) continue;
      assert.equal(
        interpret(filter.instructions, { nr, arch: AUDIT_ARCH_X86_64 }),
        ALLOW,
        `${capability} ${name}`,
      );
    }
  }
  const unknown = compileSeccomp(defaultProfile('x86_64', ['CAP_NET_ADMIN', 'toString']), 'x86_64');
  assert.deepEqual(unknown.instructions, instructions);
});

test('the filter is the profile, number by number', () => {
  const cases = [
    ['x86_64', AUDIT_ARCH_X86_64, X86_64.clone],
    ['aarch64', AUDIT_ARCH_AARCH64, AARCH64.clone],
  ] as const;
  for (const [arch, audit, clone] of cases) {
    const profile = defaultProfile(arch, []);
    const filter = compileSeccomp(profile, arch).instructions;
    for (let nr = 0; nr < 480; nr++) {
      const args = nr === clone ? [0x10000011] : [nr % 48];
      const data = { nr, arch: audit, args };
      assert.equal(interpret(filter, data), decide(profile, arch, data), `${arch} ${nr}`);
    }
  }
});

test('the filter stays small: it is loaded at every start', () => {
  assert.ok(instructions.length <= 100, `${instructions.length} instructions`);
});
