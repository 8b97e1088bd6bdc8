// The last steps of the child: security labels, the seccomp filter, and execve.
//
// config.md Process, config-linux.md Seccomp; execve(2), seccomp(2); facts A and 4.4 steps 20 to 24 of launcher.md.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  F_ADD_SEALS,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_WRONLY,
} from '../../linux/constants/open.ts';
import {
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_SET_MODE_FILTER,
} from '../../linux/constants/seccomp.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import type { SeccompFilter } from '../../seccomp/compile.ts';
import {
  type Call,
  call,
  type Memory,
  NULL,
  number,
  pointer,
  type Slot,
  slot,
  string,
  struct,
  value,
} from '../call.ts';
import * as sys from '../syscalls.ts';
import { maskUntilStart } from './barrier.ts';
import { type Context, unsupported } from './context.ts';
import { PAUSE_TRACE } from './namespaces.ts';
import { announceListener, filterOf, notifies } from './notify.ts';
import { privateProcfs } from './procfs.ts';
import { signalMask } from './signal-mask.ts';

/** docker's and runc's default when the environment has none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The label of the next program. Fails closed: a label that cannot be set stops the start (CVE-2019-16884). */
export function labels(c: Context): void {
  const { apparmorProfile: profile, selinuxLabel: label } = c.spec.process ?? {};
  if (profile !== undefined && profile !== '') {
    if (!c.facts.apparmor)
      throw unsupported(
        'an AppArmor profile was asked for, and AppArmor is not on here',
        '/process/apparmorProfile',
      );
    writeLabel(c, 'self/attr/apparmor/exec', `exec ${profile}`, 'apparmor', '/process/apparmorProfile');
  }
  if (label !== undefined && label !== '') {
    if (!c.facts.selinux)
      throw unsupported(
        'an SELinux label was asked for, and SELinux is not on here',
        '/process/selinuxLabel',
      );
    writeLabel(c, 'self/attr/exec', label, 'selinux', '/process/selinuxLabel');
  }
}

function writeLabel(c: Context, path: Bytes, content: Bytes, module: string, cause: string): void {
  const procfs = privateProcfs(c);
  const file = slot(`${module}_exec`);
  c.child('label', `run under ${content.replace(/^exec /, '')}`, cause, [
    sys.openat(procfs, path, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, content),
    sys.close(file),
  ]);
}

/** Where the filter is loaded: before capabilities are dropped unless no_new_privs is on (fact A). */
export function seccomp(c: Context): void {
  const filter = filterOf(c);
  if (filter === undefined) return;
  if (filter.needsListener) announceListener(c);
  loadFilter(c, filter, filter.flags);
}

/**
 * The same filter for a process that no agent watches: calls that would be notified are ENOSYS there
 * (seccomp_unotify(2): without a listener).
 */
export function seccompUnwatched(c: Context): void {
  const filter = filterOf(c);
  if (filter === undefined) return;
  const watched = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  loadFilter(c, filter, filter.flags & ~watched);
}

function loadFilter(c: Context, filter: SeccompFilter, flags: number): void {
  const program: Memory = struct(
    { name: 'len', width: 8, value: filter.program.length / 8 },
    {
      name: 'filter',
      width: 8,
      value: {
        kind: 'buffer',
        bytes: filter.program,
        text: `/* ${filter.program.length / 8} instructions */`,
      },
    },
  );
  const title = `load a filter of ${filter.program.length / 8} instructions (flags ${flags})`;
  c.child('seccomp', title, '/linux/seccomp', [
    call('seccomp', [
      number(SECCOMP_SET_MODE_FILTER, F.SECCOMP_OPERATIONS),
      number(flags, F.SECCOMP_FLAGS),
      pointer(program, 'fixed'),
    ]),
  ]);
}

/** The launcher ignores what the terminal sends; the program gets a clean mask and default dispositions. */
export function resetSignals(c: Context): void {
  // An ignored signal survives execve (signal(7)): JavaScript engines ignore the first two, posix_spawn(3) of glibc
  // the two that glibc keeps to itself, and whoever called caisson perhaps more (nohup(1), trap '').
  const action = pointer(struct({ name: 'sa', width: 32, value: 0 }), 'fixed');
  const { SIGPIPE, SIGXFSZ, SIGKILL, SIGSTOP } = SIGNALS;
  const ignored = new Set<number>([SIGPIPE, SIGXFSZ, 32, 33, ...c.facts.ignoredSignals]);
  for (const always of [SIGKILL, SIGSTOP]) ignored.delete(always);
  const calls = [...ignored].map((signal) =>
    call('rt_sigaction', [number(signal, F.SIGNALS), action, NULL, number(8)]),
  );
  const mask = maskUntilStart(c);
  calls.push(signalMask(mask));
  const title =
    mask === 0n ? 'default dispositions and an empty mask' : 'default dispositions, an empty mask at start';
  c.child('signals', title, 'default: signals are not inherited', calls);
}

/** `NAME=value` with the value hidden in everything that is printed. */
function environmentMemory(c: Context): Memory {
  const secret = c.options.showSecrets !== true;
  const env = c.options.environment?.() ?? c.spec.process?.env ?? [];
  const items = env.map((bytes): Memory => ({ kind: 'string', bytes, secret }));
  return { kind: 'pointers', items };
}

/** Paths that execve is tried with: one, or each directory of PATH (execvp(3)). */
export function candidates(program: Bytes, env: readonly Bytes[]): Bytes[] {
  if (program.includes('/')) return [program];
  const path =
    [...env]
      .reverse()
      .find((entry) => entry.startsWith('PATH='))
      ?.slice(5) ?? DEFAULT_PATH;
  return path.split(':').map((directory) => `${directory === '' ? '.' : directory}/${program}`);
}

/**
 * The connection of an agent is made while the container is created, and does not wait for `start`: the filter is then
 * loaded before the barrier, as in runc, and must let through what waits there (barrier.ts: ppoll, accept4, dup3, ...).
 */
export function filterBeforeBarrier(c: Context): boolean {
  return c.options.barrier !== undefined && notifies(c);
}

/** Results of the tries, in order; a run that fails looks at them to say 126 or 127. */
export interface Execution {
  readonly tries: readonly Slot[];
}

export function execute(c: Context): Execution {
  const { args = [], env = [] } = c.spec.process ?? {};
  if (c.options.trace)
    c.child('trace', 'report the time stamps', 'option: --trace', [sys.pause(PAUSE_TRACE)]);
  if (c.spec.process?.noNewPrivileges && !filterBeforeBarrier(c)) seccomp(c);
  const program = args[0] ?? '';
  const cause = '/process/args';
  if (c.options.initProgram !== undefined) return executeInit(c, c.options.initProgram, args, env);
  const paths = candidates(program, env);
  const environment = environmentMemory(c);
  if (paths.length === 1) {
    c.child('execute', `execute ${program}`, cause, [sys.execve(paths[0] ?? '', args, environment)]);
    return { tries: [] };
  }
  const tries = paths.map((path) => slot(path, { reply: true }));
  const tolerate = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.EACCES];
  const calls: Call[] = paths.map((path, index) => {
    const result = tries[index];
    return sys.execve(path, args, environment, result === undefined ? { tolerate } : { tolerate, result });
  });
  const last = tries.at(-1);
  if (last !== undefined) calls.push(sys.check(last, 'EQ', 0, ERRNO.ENOENT));
  // The entry that says where was searched; without one the default is nobody's fault.
  const path = env.findLastIndex((entry) => entry.startsWith('PATH='));
  const causes = path < 0 ? [cause] : [cause, `/process/env/${path}`];
  c.child('execute', `execute ${program}, searched in PATH`, causes, calls);
  return { tries };
}

/** PID 1 of `--init` runs from a sealed memory file of the container's own, so that no file of the image is it. */
function executeInit(c: Context, init: Bytes, args: readonly Bytes[], env: readonly Bytes[]): Execution {
  const file = slot('init');
  const seals = 0xf;
  const argv: Memory = {
    kind: 'pointers',
    items: ['caisson-init', ...candidates(args[0] ?? '', env), '--', ...args].map(
      (bytes): Memory => ({ kind: 'string', bytes }),
    ),
  };
  c.child(
    'execute',
    `execute ${args[0]} under init`,
    ['/process/args', 'option: --init'],
    [
      call('memfd_create', [string('caisson-init'), number(MFD_CLOEXEC | MFD_ALLOW_SEALING, F.MEMFD_FLAGS)], {
        result: file,
      }),
      call('write', [
        value(file),
        pointer({ kind: 'buffer', bytes: init, text: `/* ${init.length} bytes */` }, 2),
        number(init.length),
      ]),
      sys.fcntl(file, F_ADD_SEALS, seals),
      call('execveat', [
        value(file),
        string(''),
        pointer(argv, 'fixed'),
        pointer(environmentMemory(c), 'fixed'),
        number(AT_EMPTY_PATH, F.AT_FLAGS),
      ]),
    ],
  );
  return { tries: [] };
}
