// Writes src/linux/abi/*.ts from the C compilers' headers; with --check, compares every constant in src/linux with them.
//
//   bun scripts/generate-abi.ts           writes the tables (needs gcc, aarch64-linux-gnu-gcc, linux-libc-dev-armhf-cross)
//   bun scripts/generate-abi.ts --check   fails when a table is stale or a constant disagrees with the headers
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const LINUX = join(ROOT, 'src/linux');
const AARCH64_GCC = 'aarch64-linux-gnu-gcc';
const ARM_HEADERS = '/usr/arm-linux-gnueabihf/include';

interface Target {
  readonly file: string;
  readonly title: string;
  readonly compiler: readonly string[];
  readonly header: string;
  /** Added to the numbers of NEWER_SYSCALLS (x32 sets bit 30). */
  readonly base: number;
  readonly newer: Readonly<Record<string, number>>;
  readonly openFlags: boolean;
}

/** Since 5.1 a new system call has one number on every architecture (scripts/syscall.tbl); 6.1 headers end at 450. */
const NEWER_SYSCALLS: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};

const TARGETS: readonly Target[] = [
  {
    file: 'x86_64',
    title: 'x86-64',
    compiler: ['gcc', '-m64'],
    header: 'asm/unistd_64.h',
    base: 0,
    newer: { uretprobe: 335, uprobe: 336 },
    openFlags: true,
  },
  {
    file: 'aarch64',
    title: 'arm64',
    compiler: [AARCH64_GCC],
    header: 'asm/unistd.h',
    base: 0,
    newer: {},
    openFlags: true,
  },
  {
    file: 'x86',
    title: 'i386',
    compiler: ['gcc', '-m64'],
    header: 'asm/unistd_32.h',
    base: 0,
    newer: {},
    openFlags: false,
  },
  {
    file: 'x32',
    title: 'x32',
    compiler: ['gcc', '-m64', '-D__X32_SYSCALL_BIT=0x40000000'],
    header: 'asm/unistd_x32.h',
    base: 0x40000000,
    newer: {},
    openFlags: false,
  },
  {
    file: 'arm',
    title: 'arm (EABI)',
    compiler: ['gcc', '-nostdinc', '-D__ARM_EABI__', '-I', ARM_HEADERS],
    header: 'asm/unistd.h',
    base: 0,
    newer: {},
    openFlags: false,
  },
];

/** Open flags whose value differs between architectures (<asm/fcntl.h>); the others are in constants/open.ts. */
const OPEN_FLAGS = ['O_DIRECTORY', 'O_NOFOLLOW', 'O_DIRECT', 'O_LARGEFILE', 'O_TMPFILE'];

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

function main(): void {
  const check = process.argv.includes('--check');
  const stale = TARGETS.filter((target) => !writeTarget(target, check)).map(
    (target) => `abi/${target.file}.ts is stale`,
  );
  const wrong = check ? checkConstants() : [];
  for (const problem of [...stale, ...wrong]) console.error(problem);
  if (check && stale.length + wrong.length > 0) process.exit(1);
}

function writeTarget(target: Target, check: boolean): boolean {
  const path = join(LINUX, 'abi', `${target.file}.ts`);
  const text = format(render(target), path);
  if (check) return existsSync(path) && readFileSync(path, 'utf8') === text;
  writeFileSync(path, text);
  return true;
}

function render(target: Target): string {
  const lines = [
    `// System call numbers of ${target.title}. Generated by scripts/generate-abi.ts from <${target.header}>: do not edit.`,
    '',
    '/** System call name to number (syscalls(2)), ordered by number. */',
    'export const SYSCALLS = {',
    ...syscalls(target).map(([name, nr]) => `  ${name}: ${target.base === 0 ? nr : `0x${nr.toString(16)}`},`),
    '} as const;',
  ];
  if (target.openFlags) {
    lines.push(
      '',
      '/** Flags of open(2) whose value depends on the architecture. */',
      'export const OPEN_FLAGS = {',
    );
    const values = probe(target.compiler, ['linux/fcntl.h'], OPEN_FLAGS);
    for (const name of OPEN_FLAGS) lines.push(`  ${name}: 0o${required(values, name).toString(8)},`);
    lines.push('} as const;');
  }
  return `${lines.join('\n')}\n`;
}

function syscalls(target: Target): [string, number][] {
  const defined = run(target.compiler, ['-E', '-dM', '-'], `#include <${target.header}>\n`);
  const names = [...defined.matchAll(/^#define (__(?:ARM_)?NR_(\w+)) /gm)]
    .map((match) => [match[1] as string, match[2] as string] as const)
    .filter(([, name]) => !/^(syscalls|arch_specific_syscall|SYSCALL_\w+|OABI_\w+|BASE)$/.test(name));
  const asked = names.map(([macro, name]) => `"${name}" = ${macro};`).join('\n');
  const expanded = run(target.compiler, ['-E', '-P', '-'], `#include <${target.header}>\n${asked}\n`);
  const table = new Map<string, number>();
  for (const match of expanded.matchAll(/"(\w+)" = ([^;]+);/g))
    table.set(match[1] as string, sum(match[2] as string));
  for (const [name, nr] of Object.entries(NEWER_SYSCALLS))
    if (!table.has(name)) table.set(name, target.base + nr);
  for (const [name, nr] of Object.entries(target.newer)) if (!table.has(name)) table.set(name, nr);
  return [...table].sort((a, b) => a[1] - b[1]);
}

/** The value of `(0x40000000 + 512)`, the only arithmetic that the unistd headers use. */
function sum(expression: string): number {
  const terms = expression.replace(/[()\s]/g, '').split('+');
  const value = terms.reduce((total, term) => total + Number(term), 0);
  if (!Number.isInteger(value)) throw new Error(`not a sum of numbers: ${expression}`);
  return value;
}

/** Values of C constant expressions, read from the assembly: works for a cross compiler without running anything. */
function probe(
  compiler: readonly string[],
  headers: readonly string[],
  names: readonly string[],
): Map<string, number> {
  const source = [
    '#define __USE_GNU',
    ...headers.map((header) => `#include <${header}>`),
    ...names.map((name) => `const long long caisson_${name} = ${name};`),
  ].join('\n');
  const assembly = run(compiler, ['-x', 'c', '-S', '-o', '-', '-'], `${source}\n`);
  const values = new Map<string, number>();
  for (const match of assembly.matchAll(/^caisson_(\w+):\n\s+\.(\w+)\s+(-?\d+)/gm)) {
    values.set(match[1] as string, match[2] === 'zero' ? 0 : Number(match[3]));
  }
  return values;
}

function required(values: ReadonlyMap<string, number>, name: string): number {
  const value = values.get(name);
  if (value === undefined) throw new Error(`${name} is not in the headers`);
  return value;
}

function checkConstants(): string[] {
  const problems: string[] = [];
  const present = readdirSync(join(LINUX, 'constants')).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  for (const name of present) {
    const file = `constants/${name}`;
    const headers = CONSTANT_HEADERS[file];
    if (headers === undefined) problems.push(`${file}: no headers named in scripts/generate-abi.ts`);
    else
      for (const compiler of [['gcc'], [AARCH64_GCC]]) problems.push(...checkFile(file, headers, compiler));
  }
  for (const compiler of [['gcc'], [AARCH64_GCC]]) problems.push(...checkTables(compiler));
  return problems;
}

function checkFile(file: string, headers: readonly string[], compiler: readonly string[]): string[] {
  const text = readFileSync(join(LINUX, file), 'utf8');
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
function checkTables(compiler: readonly string[]): string[] {
  const tables: readonly (readonly [string, RegExp, readonly string[]])[] = [
    ['errno.ts', /^ {2}(E[A-Z0-9]+): (\d+),/gm, ['asm/errno.h']],
    ['signals.ts', /^ {2}(SIG[A-Z0-9]+): (\d+),/gm, ['asm/signal.h']],
    ['rlimits.ts', /^ {2}(RLIMIT_[A-Z]+): (\d+),/gm, ['asm/resource.h']],
    ['capabilities.ts', /^ {2}(CAP_[A-Z_]+): (\d+),/gm, ['linux/capability.h']],
  ];
  return tables.flatMap(([file, pattern, headers]) => {
    const text = readFileSync(join(LINUX, file), 'utf8');
    const constants = [...text.matchAll(pattern)].map((m) => [m[1] as string, Number(m[2])] as const);
    if (constants.length < 16) return [`${file}: only ${constants.length} entries found`];
    return assertAll(file, headers, constants, compiler);
  });
}

function assertAll(
  file: string,
  headers: readonly string[],
  constants: readonly (readonly [string, number])[],
  compiler: readonly string[],
): string[] {
  const source = [
    '#define _GNU_SOURCE',
    '#include <linux/types.h>',
    ...headers.map((header) => `#include <${header}>`),
    ...constants.map(([name, value]) => `_Static_assert(${comparison(name, value)}, "wrong ${name}");`),
  ].join('\n');
  const [command, ...options] = [...compiler, '-x', 'c', '-fsyntax-only', '-fmax-errors=0', '-'];
  const result = spawnSync(command as string, options, {
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
    problems.push(`${file} (${compiler[0]}): ${message}`);
  }
  return problems;
}

/** Compared modulo 2^32 where it fits, for the headers write bit 31 now signed, now unsigned. */
function comparison(name: string, value: number): string {
  if (value >= 2 ** 32) return `(unsigned long long)(${name}) == ${value}ULL`;
  return `(unsigned)(${name}) == (unsigned)(${value}LL)`;
}

function run(compiler: readonly string[], options: readonly string[], input: string): string {
  const [command, ...first] = compiler;
  return execFileSync(command as string, [...first, ...options], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
}

function format(text: string, path: string): string {
  const biome = join(ROOT, 'node_modules/.bin/biome');
  const style = ['--indent-style=space', '--line-width=110', '--javascript-formatter-quote-style=single'];
  return execFileSync(biome, ['format', ...style, `--stdin-file-path=${path}`], {
    input: text,
    encoding: 'utf8',
    cwd: ROOT,
  });
}

main();
