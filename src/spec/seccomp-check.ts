// Checks of `linux.seccomp` (config-linux.md, Seccomp).

import type { Bytes } from '../linux/bytes.ts';
import type { Check, Fields } from './check.ts';
import type { Arch, LinuxSeccompAction, LinuxSeccompFlag, LinuxSeccompOperator } from './linux-spec.ts';
import { absolutePathRule } from './text-rules.ts';

const ACTIONS: readonly LinuxSeccompAction[] = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
];
const OPERATORS: readonly LinuxSeccompOperator[] = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];
const FLAGS: readonly LinuxSeccompFlag[] = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
];
const ARCHITECTURES: readonly Arch[] = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
];

/** sun_path of unix(7), with its NUL. */
const SOCKET_PATH_MAX = 108;

/** Checks linux.seccomp. An object that asks for nothing leaves the configuration, as in runc. */
export function checkSeccomp(linux: Fields, c: Check): void {
  c.object(linux, 'seccomp', (seccomp) => {
    if (Object.keys(seccomp).length === 0) delete linux.seccomp;
    else checkProfile(seccomp, c);
  });
}

function checkProfile(seccomp: Fields, c: Check): void {
  c.require(seccomp, 'defaultAction');
  const action = c.oneOf(seccomp, 'defaultAction', ACTIONS, 'a seccomp action');
  // The container could not even report that it waits: no system call is left to send the descriptor with.
  if (action === 'SCMP_ACT_NOTIFY') c.fail('defaultAction', 'SCMP_ACT_NOTIFY cannot be the default action');
  checkErrno(seccomp, 'defaultErrnoRet', action, c);
  c.someOf(seccomp, 'architectures', ARCHITECTURES, 'an architecture of seccomp');
  c.someOf(seccomp, 'flags', FLAGS, 'a flag of seccomp(2)');
  const listener = c.textOrNothing(seccomp, 'listenerPath', socketPathRule);
  const metadata = c.textOrNothing(seccomp, 'listenerMetadata');
  if (metadata !== undefined && listener === undefined) c.fail('listenerMetadata', 'needs listenerPath');
  let notifies = false;
  c.objects(seccomp, 'syscalls', (rule) => {
    notifies = checkRule(rule, c) === 'SCMP_ACT_NOTIFY' || notifies;
  });
  if (notifies && listener === undefined) c.fail('listenerPath', 'is required where SCMP_ACT_NOTIFY is used');
}

function socketPathRule(path: Bytes): string | undefined {
  if (path.length >= SOCKET_PATH_MAX)
    return `${path.length} bytes; the path of a socket has at most ${SOCKET_PATH_MAX - 1}`;
  return absolutePathRule(path);
}

function checkRule(rule: Fields, c: Check): LinuxSeccompAction | undefined {
  c.require(rule, 'names');
  const names = c.texts(rule, 'names', (name) => (name === '' ? 'is empty' : undefined));
  if (names?.length === 0) c.fail('names', 'is empty; expected names of system calls');
  c.require(rule, 'action');
  const action = c.oneOf(rule, 'action', ACTIONS, 'a seccomp action');
  // The descriptor is sent by write(2) or sendmsg(2) under the filter; runc refuses write for this reason.
  if (action === 'SCMP_ACT_NOTIFY' && names?.includes('write')) {
    c.fail(
      'names',
      'SCMP_ACT_NOTIFY cannot be used for the write syscall: the notification itself is written',
    );
  }
  checkErrno(rule, 'errnoRet', action, c);
  c.objects(rule, 'args', checkArgument);
  return action;
}

function checkErrno(fields: Fields, key: Bytes, action: LinuxSeccompAction | undefined, c: Check): void {
  // SECCOMP_RET_DATA has 16 bits.
  const errno = c.integer(fields, key, 0, 65535);
  if (errno === undefined || action === undefined) return;
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE')
    c.fail(key, `${action} returns no errno (config-linux.md: a runtime MUST fail)`);
}

function checkArgument(argument: Fields, c: Check): void {
  for (const key of ['index', 'value', 'op']) c.require(argument, key);
  c.integer(argument, 'index', 0, 5);
  c.uint64(argument, 'value');
  c.uint64(argument, 'valueTwo');
  c.oneOf(argument, 'op', OPERATORS, 'a seccomp operator');
}
