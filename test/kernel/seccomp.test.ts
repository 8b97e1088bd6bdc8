// Seccomp on the real kernel: errnos, kills, arguments, and what the default profile denies.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CAPABILITIES, capabilities, Harness, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Numbers of system calls on x86-64 (asm/unistd_64.h). */
const NR = {
  getpid: 39,
  personality: 135,
  mount: 165,
  keyctl: 250,
  unshare: 272,
  setns: 308,
  bpf: 321,
  userfaultfd: 323,
  clone3: 435,
  sched_get_priority_max: 146,
  add_key: 248,
  perf_event_open: 298,
  io_uring_setup: 425,
  uname: 63,
};
const EPERM = 1;
const ENOSYS = 38;
const CLONE_NEWUSER = 0x10000000;

const profile = (syscalls: readonly unknown[], defaultAction = 'SCMP_ACT_ALLOW') => ({
  linux: { seccomp: { defaultAction, architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], syscalls } },
});
const x86 = process.arch === 'x64' ? skip : skip || 'numbers of x86-64';

test('a denied call answers the errno of the rule', { skip: x86 }, () => {
  const rule = { names: ['sched_get_priority_max'], action: 'SCMP_ACT_ERRNO' };
  assert.equal(
    harness.ociOutput(profile([{ ...rule, errnoRet: 99 }]), `syscall ${NR.sched_get_priority_max} 0`),
    '-99',
  );
  assert.equal(harness.ociOutput(profile([rule]), `syscall ${NR.sched_get_priority_max} 0`), `-${EPERM}`);
  assert.equal(harness.ociOutput({}, `syscall ${NR.sched_get_priority_max} 0`), '0');
  assert.equal(harness.ociOutput(profile([rule]), 'grep ^Seccomp: /proc/self/status | cut -f2'), '2');
});

test('a killed call ends the process with SIGSYS', { skip: x86 }, () => {
  for (const action of ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP']) {
    const config = profile([{ names: ['sched_get_priority_max'], action }]);
    assert.equal(
      harness.ociOutput(config, `syscall ${NR.sched_get_priority_max}; echo $?`).split('\n').at(-1),
      '159',
      action,
    );
    assert.equal(harness.oci(config, `exec syscall ${NR.sched_get_priority_max}`).code, 159, action);
  }
});

test('arguments decide, 64 bits wide', { skip: x86 }, () => {
  const errno = (args: readonly unknown[]) =>
    profile([{ names: ['personality'], action: 'SCMP_ACT_ERRNO', errnoRet: 77, args }]);
  const call = (value: string, args: readonly unknown[]) =>
    harness.ociOutput(errno(args), `syscall ${NR.personality} ${value}`);
  const equal = [{ index: 0, value: 0x20008, op: 'SCMP_CMP_EQ' }];
  assert.equal(call('0x20008', equal), '-77');
  assert.equal(call('0xffffffff', equal), '0');
  const masked = [{ index: 0, value: 0xf0, valueTwo: 0x10, op: 'SCMP_CMP_MASKED_EQ' }];
  assert.equal(call('0x1f', masked), '-77');
  const high = (value: string) =>
    harness.ociOutput(
      profile([
        {
          names: ['keyctl'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 66,
          args: [{ index: 1, value: 4294967296, op: 'SCMP_CMP_GE' }],
        },
      ]),
      `syscall ${NR.keyctl} 99999 ${value}`,
    );
  assert.equal(high('4294967296'), '-66');
  assert.notEqual(high('4294967295'), '-66');
});

test('a list of what is allowed lets nothing else through', { skip: x86 }, () => {
  const needed = [
    'arch_prctl',
    'brk',
    'close',
    'execve',
    'exit',
    'exit_group',
    'fstat',
    'getrandom',
    'mmap',
    'mprotect',
    'munmap',
    'newfstatat',
    'openat',
    'prlimit64',
    'read',
    'readlink',
    'rseq',
    'set_robust_list',
    'set_tid_address',
    'write',
    'ioctl',
  ];
  const config = profile([{ names: needed, action: 'SCMP_ACT_ALLOW' }], 'SCMP_ACT_ERRNO');
  const ended = harness.oci({ ...config, process: { args: ['/bin/syscall', String(NR.uname), 'b:4'] } }, '');
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /^-1 /);
});

test('the default profile denies what escapes need', { skip: x86 }, () => {
  const denied: readonly (readonly [string, number])[] = [
    [`${NR.unshare} ${CLONE_NEWUSER}`, EPERM],
    [`${NR.mount} s:none s:/tmp s:tmpfs 0 0`, EPERM],
    [`${NR.setns} 0 0`, EPERM],
    [`${NR.bpf} 0 0 0`, EPERM],
    [`${NR.keyctl} 0 0`, EPERM],
    [`${NR.add_key} s:user s:x s:y 1 0`, EPERM],
    [`${NR.userfaultfd} 0`, EPERM],
    [`${NR.perf_event_open} 0 0 0 0 0`, EPERM],
    [`${NR.io_uring_setup} 1 0`, EPERM],
    [`${NR.clone3} 0 0`, ENOSYS],
    [`${NR.personality} 0x0040000`, EPERM],
  ];
  const output = harness.output([], denied.map(([call]) => `syscall ${call}`).join('; '));
  assert.deepEqual(
    output.split('\n'),
    denied.map(([, errno]) => `-${errno}`),
  );
  assert.equal(
    harness.output([], `syscall ${NR.personality} 0xffffffff; syscall ${NR.getpid} | grep -c "^[0-9]"`),
    '0\n1',
  );
});

test('unconfined and privileged have no filter', { skip: x86 }, () => {
  const show = 'grep ^Seccomp: /proc/self/status | cut -f2';
  assert.equal(harness.output([], show), '2');
  assert.equal(harness.output(['--security-opt', 'seccomp=unconfined'], show), '0');
  assert.equal(harness.output(['--privileged'], show), '0');
});

test('CAP_SYS_ADMIN opens the profile for mounts', { skip: x86 || rootOnly }, () => {
  assert.equal(
    harness.output(['--cap-add', 'SYS_ADMIN'], `syscall ${NR.mount} s:none s:/tmp s:tmpfs 0 0`),
    '0',
  );
});

test('a filter is loaded without no_new_privs too, and before a user loses the right', {
  skip: x86 || rootOnly,
}, () => {
  const { linux } = profile([{ names: ['sched_get_priority_max'], action: 'SCMP_ACT_ERRNO', errnoRet: 55 }]);
  for (const noNewPrivileges of [false, true]) {
    const process = {
      noNewPrivileges,
      user: { uid: 1000, gid: 1001 },
      capabilities: capabilities(CAPABILITIES),
    };
    assert.equal(harness.ociOutput({ linux, process }, `syscall ${NR.sched_get_priority_max} 0`), '-55');
  }
});
