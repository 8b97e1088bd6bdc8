// Profiles and what their filters return for chosen calls; the errors of profiles that make no sense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as bpf from '../linux/bpf.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from '../spec/runtime-spec.ts';
import { compileSeccomp } from './compile.ts';
import { interpret } from './interpret.ts';

const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const AARCH64 = 0xc00000b7;

const ALLOW = 0x7fff0000;
const LOG = 0x7ffc0000;
const TRAP = 0x00030000;
const KILL_PROCESS = 0x80000000;
const KILL_THREAD = 0;
const ENOSYS = 0x00050026;
const errno = (value: number) => 0x00050000 | value;

function verdict(
  profile: LinuxSeccomp,
  nr: number,
  args: readonly (number | bigint)[] = [],
  arch = X86_64,
): number {
  return interpret(compileSeccomp(profile, 'x86_64').instructions, { nr, arch, args });
}

function denying(...syscalls: readonly LinuxSyscall[]): LinuxSeccomp {
  return { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
}

function rule(
  name: string,
  action: LinuxSyscall['action'],
  ...args: readonly LinuxSeccompArg[]
): LinuxSyscall {
  return { names: [name], action, args };
}

function eq(index: number, value: number | bigint): LinuxSeccompArg {
  return { index, op: 'SCMP_CMP_EQ', value };
}

test('every action has its return value', () => {
  const values: readonly [LinuxSyscall['action'], number][] = [
    ['SCMP_ACT_KILL', KILL_THREAD],
    ['SCMP_ACT_KILL_THREAD', KILL_THREAD],
    ['SCMP_ACT_KILL_PROCESS', KILL_PROCESS],
    ['SCMP_ACT_TRAP', TRAP],
    ['SCMP_ACT_ERRNO', errno(1)],
    ['SCMP_ACT_TRACE', 0x7ff00001],
    ['SCMP_ACT_LOG', LOG],
    ['SCMP_ACT_NOTIFY', 0x7fc00000],
  ];
  for (const [action, value] of values)
    assert.equal(verdict(denying(rule('read', action)), 0), value, action);
  assert.equal(
    verdict({ defaultAction: 'SCMP_ACT_TRAP', syscalls: [rule('read', 'SCMP_ACT_ALLOW')] }, 0),
    ALLOW,
  );
});

test('errnos are data of the return value, EPERM when absent', () => {
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 0,
    syscalls: [
      { names: ['read'], action: 'SCMP_ACT_ERRNO', errnoRet: 4095 },
      { names: ['write'], action: 'SCMP_ACT_TRACE', errnoRet: 0xffff },
      { names: ['open'], action: 'SCMP_ACT_ERRNO' },
    ],
  };
  const got = [0, 1, 2].map((nr) => verdict(profile, nr));
  assert.deepEqual(got, [errno(4095), 0x7ff0ffff, errno(1)]);
  // Number 257 stands above all that the profile names.
  assert.equal(
    verdict({ ...profile, syscalls: [...(profile.syscalls ?? []), rule('openat', 'SCMP_ACT_LOG')] }, 3),
    errno(0),
  );
});

test('an architecture that is not listed is killed, the native one need not be listed', () => {
  const profile: LinuxSeccomp = { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_S390X'] };
  assert.equal(verdict(profile, 0), ALLOW);
  assert.equal(verdict(profile, 0, [], I386), KILL_PROCESS);
  assert.equal(verdict(profile, 0, [], AARCH64), KILL_PROCESS);
  const filter = compileSeccomp(profile, 'aarch64');
  assert.equal(interpret(filter.instructions, { nr: 0, arch: AARCH64 }), ALLOW);
  assert.equal(interpret(filter.instructions, { nr: 0, arch: X86_64 }), KILL_PROCESS);
});

test('a foreign architecture numbers its calls its own way', () => {
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [rule('read', 'SCMP_ACT_TRAP')],
  };
  assert.deepEqual(
    [0, 3].map((nr) => verdict(profile, nr)),
    [TRAP, ALLOW],
  );
  assert.deepEqual(
    [0, 3].map((nr) => verdict(profile, nr, [], I386)),
    [ALLOW, TRAP],
  );
});

test('x32 calls are killed unless x32 is listed; number -1 is left to the default action', () => {
  const profile = denying(rule('read', 'SCMP_ACT_TRAP'), rule('ioctl', 'SCMP_ACT_TRAP'));
  const numbers = [0x3fffffff, 0x40000000, 0x40000001, 0x40000202, 0xfffffffe, 0xffffffff];
  const got = numbers.map((nr) => verdict(profile, nr));
  assert.deepEqual(got, [ALLOW, KILL_PROCESS, KILL_PROCESS, KILL_PROCESS, KILL_PROCESS, ALLOW]);
  const x32: LinuxSeccomp = { ...profile, architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'] };
  // x32 has an ioctl of its own, 514.
  assert.deepEqual(
    numbers.map((nr) => verdict(x32, nr)),
    [ALLOW, TRAP, ALLOW, TRAP, ALLOW, ALLOW],
  );
});

test('names that the architecture has not are ignored', () => {
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_TRAP',
    syscalls: [{ names: ['open', 'constructor', 'no_such_call', 'getpid'], action: 'SCMP_ACT_ALLOW' }],
  };
  assert.equal(verdict({ ...profile, architectures: ['SCMP_ARCH_X86'] }, 20, [], I386), ALLOW);
  const { instructions } = compileSeccomp(profile, 'aarch64');
  assert.equal(interpret(instructions, { nr: 172, arch: AARCH64 }), ALLOW);
  assert.equal(interpret(instructions, { nr: 2, arch: AARCH64 }), TRAP);
});

test('calls newer than the profile get ENOSYS, but where the default lets them through', () => {
  const syscalls = [rule('read', 'SCMP_ACT_ALLOW'), rule('openat', 'SCMP_ACT_ERRNO')];
  for (const defaultAction of ['SCMP_ACT_ERRNO', 'SCMP_ACT_TRAP', 'SCMP_ACT_KILL_PROCESS'] as const) {
    // A rule with the default action counts too: its name is known to the profile.
    assert.equal(verdict({ defaultAction, syscalls }, 258), ENOSYS, defaultAction);
    assert.notEqual(verdict({ defaultAction, syscalls }, 256), ENOSYS, defaultAction);
  }
  for (const defaultAction of ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'] as const) {
    assert.notEqual(verdict({ defaultAction, syscalls }, 258), ENOSYS, defaultAction);
  }
  assert.equal(
    verdict({ defaultAction: 'SCMP_ACT_ERRNO' }, 5),
    errno(1),
    'a profile without names is not old',
  );
});

test('arguments are compared in all 64 bits', () => {
  const big = 0x1_0000_0005;
  const cases: readonly [
    LinuxSeccompArg['op'],
    readonly (number | bigint)[],
    readonly (number | bigint)[],
  ][] = [
    ['SCMP_CMP_EQ', [big], [5, 0x2_0000_0005, 0x1_0000_0004, 0]],
    ['SCMP_CMP_NE', [5, 0x2_0000_0005, 0xffffffffffffffffn], [big]],
    ['SCMP_CMP_LT', [0, 6, 0x1_0000_0004], [big, 0x1_0000_0006, 0x2_0000_0000]],
    ['SCMP_CMP_LE', [0, 6, 0x1_0000_0004, big], [0x1_0000_0006, 0x2_0000_0000]],
    ['SCMP_CMP_GT', [0x1_0000_0006, 0x2_0000_0000, 0xffffffffffffffffn], [big, 6, 0x1_0000_0004]],
    ['SCMP_CMP_GE', [big, 0x1_0000_0006, 0x2_0000_0000], [6, 0x1_0000_0004, 0]],
  ];
  for (const [op, hits, misses] of cases) {
    const profile = denying(rule('read', 'SCMP_ACT_TRAP', { index: 2, op, value: big }));
    for (const hit of hits) assert.equal(verdict(profile, 0, [0, 0, hit]), TRAP, `${op} ${hit}`);
    for (const miss of misses) assert.equal(verdict(profile, 0, [0, 0, miss]), ALLOW, `${op} ${miss}`);
  }
});

test('MASKED_EQ takes value as the mask and valueTwo as the datum', () => {
  const value = 0xf000_0000_0000_00f0n;
  const arg: LinuxSeccompArg = {
    index: 0,
    op: 'SCMP_CMP_MASKED_EQ',
    value,
    valueTwo: 0x1000_0000_0000_0020n,
  };
  const profile = denying(rule('read', 'SCMP_ACT_TRAP', arg));
  assert.equal(verdict(profile, 0, [0x1fff_ffff_ffff_ff2fn]), TRAP);
  assert.equal(verdict(profile, 0, [0x1000_0000_0000_0030n]), ALLOW);
  assert.equal(verdict(profile, 0, [0x2000_0000_0000_0020n]), ALLOW);
  assert.equal(verdict(profile, 0, [0x20]), ALLOW);
});

test('conditions of a rule are joined by and, unless one argument occurs twice: then by or, as in runc', () => {
  const both = denying(rule('read', 'SCMP_ACT_TRAP', eq(0, 1), eq(2, 3)));
  assert.equal(verdict(both, 0, [1, 0, 3]), TRAP);
  assert.equal(verdict(both, 0, [1, 0, 4]), ALLOW);
  assert.equal(verdict(both, 0, [2, 0, 3]), ALLOW);
  const either = denying(rule('read', 'SCMP_ACT_TRAP', eq(0, 1), eq(0, 2), eq(1, 9)));
  assert.equal(verdict(either, 0, [2, 0]), TRAP);
  assert.equal(verdict(either, 0, [0, 9]), TRAP);
  assert.equal(verdict(either, 0, [0, 0]), ALLOW);
});

test('a rule without conditions beats those with, the first of several such wins', () => {
  const conditional = rule('read', 'SCMP_ACT_TRAP', eq(0, 1));
  const [log, kill] = [rule('read', 'SCMP_ACT_LOG'), rule('read', 'SCMP_ACT_KILL_PROCESS')];
  assert.equal(verdict(denying(conditional, log, kill), 0, [1]), LOG);
  assert.equal(verdict(denying(kill, conditional, log), 0, [1]), KILL_PROCESS);
});

test('of overlapping rules the more specific one decides, in whatever order they stand', () => {
  const exact = rule('read', 'SCMP_ACT_TRAP', eq(0, 7));
  const tight = rule('read', 'SCMP_ACT_LOG', { index: 0, op: 'SCMP_CMP_GE', value: 6 });
  const loose = rule('read', 'SCMP_ACT_ERRNO', { index: 0, op: 'SCMP_CMP_GE', value: 5 });
  const later = rule('read', 'SCMP_ACT_KILL_PROCESS', eq(1, 1));
  for (const order of [
    [exact, tight, loose, later],
    [later, loose, tight, exact],
    [tight, exact, later, loose],
  ]) {
    const got = [7, 8, 5, 4].map((value) => verdict(denying(...order), 0, [value, 0]));
    assert.deepEqual(got, [TRAP, LOG, errno(1), ALLOW]);
    // libseccomp tries the rule on the later argument first.
    assert.equal(verdict(denying(...order), 0, [7, 1]), KILL_PROCESS);
  }
});

test('i386 reaches socket calls directly and through socketcall', () => {
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [rule('connect', 'SCMP_ACT_TRAP'), rule('shmat', 'SCMP_ACT_LOG')],
  };
  assert.equal(verdict(profile, 362, [], I386), TRAP);
  assert.equal(verdict(profile, 102, [3], I386), TRAP);
  assert.equal(verdict(profile, 102, [2], I386), ALLOW);
  assert.equal(verdict(profile, 117, [21], I386), LOG);
});

test('flags, and the listener that SCMP_ACT_NOTIFY needs', () => {
  const [spec, log, listener, killable] = [4, 2, 8, 32];
  const notify = denying({ names: ['mount', 'umount2'], action: 'SCMP_ACT_NOTIFY' });
  const flagsOf = (profile: LinuxSeccomp) => compileSeccomp(profile, 'x86_64').flags;
  assert.equal(flagsOf(denying()), spec);
  assert.equal(flagsOf({ ...denying(), flags: [] }), 0);
  assert.equal(
    flagsOf({ ...denying(), flags: ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG'] }),
    log,
  );
  assert.equal(
    flagsOf({ ...notify, flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] }),
    listener | killable,
  );
  const filter = compileSeccomp(notify, 'x86_64');
  assert.deepEqual(
    [filter.needsListener, filter.notified, filter.flags],
    [true, ['mount', 'umount2'], listener | spec],
  );
  assert.equal(compileSeccomp(denying(), 'x86_64').needsListener, false);
});

test('the program is the bytes of the instructions', () => {
  const filter = compileSeccomp(denying(rule('read', 'SCMP_ACT_TRAP')), 'x86_64');
  assert.deepEqual(bpf.decodeCbpf(filter.program), [...filter.instructions]);
});

test('a thousand rules on one call need jumps longer than 255, and still end where they should', () => {
  const syscalls: LinuxSyscall[] = [];
  for (let value = 0; value < 900; value++) syscalls.push(rule('read', 'SCMP_ACT_TRAP', eq(0, 2 * value)));
  syscalls.push(rule('write', 'SCMP_ACT_LOG'));
  const { instructions } = compileSeccomp(denying(...syscalls), 'x86_64');
  assert.ok(instructions.length > 1800);
  for (const value of [0, 1, 2, 899, 900, 1797, 1798, 1799, 1800]) {
    const expected = value % 2 === 0 && value < 1800 ? TRAP : ALLOW;
    assert.equal(interpret(instructions, { nr: 0, arch: X86_64, args: [value] }), expected, String(value));
  }
  assert.equal(interpret(instructions, { nr: 1, arch: X86_64 }), LOG);
  assert.equal(interpret(instructions, { nr: 2, arch: X86_64 }), ALLOW);
});

function refused(profile: LinuxSeccomp, pointer: string, message: RegExp): void {
  assert.throws(
    () => compileSeccomp(profile, 'x86_64'),
    (error: unknown) => {
      assert.ok(error instanceof CaissonError);
      assert.equal(error.code, 'EINVALIDSPEC');
      assert.ok(error.provenance.includes(pointer), `${pointer} in ${error.provenance.join(' ')}`);
      assert.match(error.message, message);
      return true;
    },
  );
}

/** A value that the types forbid, as a configuration file may have it. */
function unchecked<T>(value: unknown): T {
  return value as T;
}

test('nonsense is refused by its place in the configuration', () => {
  const first = '/linux/seccomp/syscalls/0';
  const read = (args: LinuxSeccompArg[]) => denying({ names: ['read'], action: 'SCMP_ACT_TRAP', args });
  refused({ defaultAction: unchecked('ALLOW') }, '/linux/seccomp/defaultAction', /ALLOW/);
  refused({ defaultAction: 'SCMP_ACT_NOTIFY' }, '/linux/seccomp/defaultAction', /default/);
  refused(
    { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 },
    '/linux/seccomp/defaultErrnoRet',
    /no errno/,
  );
  refused(
    { ...denying(), architectures: ['SCMP_ARCH_S390X', unchecked('VAX')] },
    '/linux/seccomp/architectures/1',
    /VAX/,
  );
  refused({ ...denying(), flags: [unchecked('FAST')] }, '/linux/seccomp/flags/0', /FAST/);
  refused(
    { ...denying(), flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] },
    '/linux/seccomp/flags/0',
    /NOTIFY/,
  );
  refused(denying({ names: [], action: 'SCMP_ACT_TRAP' }), `${first}/names`, /name/);
  refused(denying({ names: ['read', ''], action: 'SCMP_ACT_TRAP' }), `${first}/names/1`, /empty/);
  refused(denying({ names: ['read'], action: unchecked('toString') }), `${first}/action`, /toString/);
  refused(
    denying({ names: ['read'], action: 'SCMP_ACT_ERRNO', errnoRet: 4096 }),
    `${first}/errnoRet`,
    /4095/,
  );
  refused(
    denying({ names: ['read'], action: 'SCMP_ACT_KILL', errnoRet: 1 }),
    `${first}/errnoRet`,
    /no errno/,
  );
  refused(read([eq(0, 1), { index: 1, op: unchecked('=='), value: 0 }]), `${first}/args/1/op`, /==/);
  refused(read([eq(6, 1)]), `${first}/args/0/index`, /0 to 5/);
  refused(read([eq(0, -1)]), `${first}/args/0/value`, /unsigned/);
  refused(read([eq(0, 1n << 64n)]), `${first}/args/0/value`, /unsigned/);
  refused(read([eq(0, 1.5)]), `${first}/args/0/value`, /unsigned/);
  refused(
    read([{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: 1, valueTwo: -1 }]),
    `${first}/args/0/valueTwo`,
    /unsigned/,
  );
});

test('contradicting rules and too large a profile are refused', () => {
  const contradiction = denying(
    rule('read', 'SCMP_ACT_TRAP', eq(0, 1)),
    rule('read', 'SCMP_ACT_LOG', eq(0, 1)),
  );
  refused(contradiction, '/linux/seccomp/syscalls/1', /read/);
  const tooLate = denying(
    rule('read', 'SCMP_ACT_TRAP', eq(0, 1), eq(1, 1)),
    rule('read', 'SCMP_ACT_LOG', eq(0, 1)),
  );
  refused(tooLate, '/linux/seccomp/syscalls/0', /read/);
  const many: LinuxSyscall[] = [];
  for (let value = 0; value < 2100; value++)
    many.push(rule('read', 'SCMP_ACT_TRAP', eq(0, value * 2 ** 32 + value)));
  refused(denying(...many), '/linux/seccomp/syscalls', /4096/);
});
