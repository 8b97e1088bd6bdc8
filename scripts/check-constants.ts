// Compares every constant in src/linux with the kernel's and the C library's headers, for each compiler.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Headers for the constants of each file. `linux/` ones first: glibc's copies then stand aside (libc-compat.h). */
const CONSTANT_HEADERS: Readonly<Record<string, readonly string[]>> = {
  'constants/open.ts': [
    'linux/fcntl.h',
    'linux/openat2.h',
    'linux/stat.h',
    'linux/memfd.h',
    'linux/close_range.h',
    'linux/fs.h',
    'unistd.h',
  ],
  'constants/mount.ts': ['linux/fcntl.h', 'linux/mount.h'],
  'constants/filesystem.ts': [
    'linux/magic.h',
    'linux/fs.h',
    'linux/stat.h',
    'linux/nsfs.h',
    'linux/limits.h',
  ],
  'constants/process.ts': [
    'linux/sched.h',
    'linux/sched/types.h',
    'linux/prctl.h',
    'linux/wait.h',
    'linux/ioprio.h',
    'linux/resource.h',
    'linux/personality.h',
    'linux/keyctl.h',
    'linux/securebits.h',
    'linux/capability.h',
    'linux/kcmp.h',
    'linux/pidfd.h',
    'linux/fcntl.h',
  ],
  'constants/memory.ts': ['linux/mman.h', 'linux/mempolicy.h'],
  'constants/signal.ts': ['asm/signal.h', 'asm/siginfo.h', 'linux/fcntl.h', 'linux/signalfd.h'],
  'constants/seccomp.ts': ['linux/ioctl.h', 'linux/seccomp.h', 'linux/audit.h', 'linux/filter.h'],
  'constants/bpf.ts': ['linux/bpf.h'],
  'constants/terminal.ts': ['asm/termbits.h', 'asm/ioctls.h'],
  'constants/poll.ts': [
    'linux/poll.h',
    'linux/eventpoll.h',
    'sys/eventfd.h',
    'sys/timerfd.h',
    'linux/inotify.h',
    'time.h',
  ],
  'constants/socket.ts': [
    'sys/socket.h',
    'sys/un.h',
    'linux/netlink.h',
    'linux/rtnetlink.h',
    'linux/if.h',
    'linux/if_link.h',
  ],
};

/** Constants that kernels after 6.1 brought: Debian 12's headers lack them, newer ones are compared. */
const NEWER_CONSTANTS: ReadonlySet<string> = new Set([
  'MOVE_MOUNT_BENEATH',
  'FSCONFIG_CMD_CREATE_EXCL',
  'MFD_NOEXEC_SEAL',
  'MFD_EXEC',
  'F_SEAL_EXEC',
  'F_DUPFD_QUERY',
  'F_CREATED_QUERY',
  'AT_HANDLE_FID',
  'STATX_MNT_ID_UNIQUE',
  'STATX_SUBVOL',
  'PR_SET_MDWE',
  'PR_SET_MEMORY_MERGE',
  'PID_FS_MAGIC',
  'SCHED_EXT',
  'MPOL_WEIGHTED_INTERLEAVE',
  'SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP',
  'SECCOMP_IOCTL_NOTIF_SET_FLAGS',
  'PIDFD_THREAD',
  'PIDFD_SIGNAL_THREAD',
  'PIDFD_SIGNAL_THREAD_GROUP',
  'PIDFD_SIGNAL_PROCESS_GROUP',
]);

/** Kernel-internal or historic names that no exported header defines on both architectures. */
const UNEXPORTED_CONSTANTS: ReadonlySet<string> = new Set([
  'MQUEUE_MAGIC',
  'UTIME_NOW',
  'UTIME_OMIT',
  'FUSE_SUPER_MAGIC',
  'SA_RESTORER',
  'SIG_DFL',
  'SIG_IGN',
  'NSIG_BYTES',
  'X32_SYSCALL_BIT',
  'SCHED_ISO',
  'MNT_FORCE',
  'MNT_DETACH',
  'MNT_EXPIRE',
  'UMOUNT_NOFOLLOW',
  'ST_RDONLY',
  'ST_NOSUID',
  'ST_NODEV',
  'ST_NOEXEC',
  'ST_SYNCHRONOUS',
  'ST_MANDLOCK',
  'ST_NOATIME',
  'ST_NODIRATIME',
  'ST_RELATIME',
  'ST_NOSYMFOLLOW',
  'KEY_POS_ALL',
  'KEY_USR_ALL',
  'KEY_USR_VIEW',
  'KEY_USR_READ',
  'KEY_USR_SEARCH',
]);

/** One line for each constant below `linux` that a compiler's headers contradict or do not have. */
export function checkConstants(linux: string, compilers: readonly string[]): string[] {
  const problems: string[] = [];
  const present = readdirSync(join(linux, 'constants')).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  for (const name of present) {
    const file = `constants/${name}`;
    const headers = CONSTANT_HEADERS[file];
    if (headers === undefined) problems.push(`${file}: no headers named in scripts/generate-abi.ts`);
    else for (const compiler of compilers) problems.push(...checkFile(linux, file, headers, compiler));
  }
  for (const compiler of compilers) problems.push(...checkTables(linux, compiler));
  return problems;
}

function checkFile(linux: string, file: string, headers: readonly string[], compiler: string): string[] {
  const text = readFileSync(join(linux, file), 'utf8');
  const constants = [...text.matchAll(/^export const ([A-Z_]\w*) = (-?(?:0[xo])?[0-9a-f_]+);/gm)];
  const declared = [...text.matchAll(/^export const /gm)].length;
  if (constants.length !== declared)
    return [`${file}: ${declared - constants.length} constants are not plain numbers`];
  return assertAll(
    file,
    headers,
    constants.map((match) => [match[1] as string, number(match[2] as string)]),
    compiler,
  );
}

function number(text: string): number {
  const digits = text.replaceAll('_', '');
  return digits.startsWith('-') ? -Number(digits.slice(1)) : Number(digits);
}

/** The tables of errno.ts, signals.ts and capabilities.ts, whose entries are `NAME: number`. */
function checkTables(linux: string, compiler: string): string[] {
  const tables: readonly (readonly [string, RegExp, readonly string[]])[] = [
    ['errno.ts', /^ {2}(E[A-Z0-9]+): (\d+),/gm, ['asm/errno.h']],
    ['signals.ts', /^ {2}(SIG[A-Z0-9]+): (\d+),/gm, ['asm/signal.h']],
    ['rlimits.ts', /^ {2}(RLIMIT_[A-Z]+): (\d+),/gm, ['asm/resource.h']],
    ['capabilities.ts', /^ {2}(CAP_[A-Z_]+): (\d+),/gm, ['linux/capability.h']],
  ];
  return tables.flatMap(([file, pattern, headers]) => {
    const text = readFileSync(join(linux, file), 'utf8');
    const constants = [...text.matchAll(pattern)].map((m) => [m[1] as string, Number(m[2])] as const);
    if (constants.length < 16) return [`${file}: only ${constants.length} entries found`];
    return assertAll(file, headers, constants, compiler);
  });
}

function assertAll(
  file: string,
  headers: readonly string[],
  constants: readonly (readonly [string, number])[],
  compiler: string,
): string[] {
  const source = [
    '#define _GNU_SOURCE',
    '#include <linux/types.h>',
    ...headers.map((header) => `#include <${header}>`),
    ...constants.map(([name, value]) => `_Static_assert(${comparison(name, value)}, "wrong ${name}");`),
  ].join('\n');
  const options = ['-x', 'c', '-fsyntax-only', '-fmax-errors=0', '-'];
  const result = spawnSync(compiler, options, {
    input: `${source}\n`,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const problems: string[] = [];
  for (const match of result.stderr.matchAll(/error: (.*)/g)) {
    const message = match[1] as string;
    const absent = /^'(\w+)' undeclared/.exec(message)?.[1];
    if (absent !== undefined && (NEWER_CONSTANTS.has(absent) || UNEXPORTED_CONSTANTS.has(absent))) continue;
    if (/expression in static assertion/.test(message)) continue;
    problems.push(`${file} (${compiler}): ${message}`);
  }
  return problems;
}

/** Compared modulo 2^32 where it fits, for the headers write bit 31 now signed, now unsigned. */
function comparison(name: string, value: number): string {
  if (value >= 2 ** 32) return `(unsigned long long)(${name}) == ${value}ULL`;
  return `(unsigned)(${name}) == (unsigned)(${value}LL)`;
}
