// The process itself: session, limits, scheduling, identity and capabilities, in the one order the kernel allows.
//
// config.md Process, config-linux.md; facts A-B5, J, K, L of launcher.md; capabilities(7), prctl(2), setrlimit(2).
import type { Bytes } from '../../linux/bytes.ts';
import { CAPABILITIES, capabilityWords, isCapability } from '../../linux/capabilities.ts';
import { O_CLOEXEC, O_WRONLY } from '../../linux/constants/open.ts';
import {
  KEYCTL_JOIN_SESSION_KEYRING,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
} from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { rlimitNumber } from '../../linux/rlimits.ts';
import { SIGNALS } from '../../linux/signals.ts';
import type { LinuxCapabilities } from '../../spec/runtime-spec.ts';
import { sysctlPath } from '../../spec/sysctl.ts';
import { type Call, call, NULL, number, pointer, type Slot, slot, string, struct } from '../call.ts';
import { fixedCall } from '../fixed-call.ts';
import * as sys from '../syscalls.ts';
import { keepsGroups } from './annotations.ts';
import { type Context, relative } from './context.ts';
import { resolveDirectory } from './destination.ts';
import { privateProcfs } from './procfs.ts';

/** The child leaves the caller's session, so that no terminal of the caller is its own (CVE-2017-5226). */
export function session(c: Context): void {
  c.child('session', 'a session of its own', 'default: no controlling terminal is inherited', [
    call('setsid', []),
  ]);
  if (c.options.noNewKeyring) return;
  // ENOSYS and EACCES: kernels and filters without keyrings; the quota (EDQUOT) must not stop a container (runc).
  c.child('keyring', 'a session keyring of its own', 'default: keys are not inherited', [
    call(
      'keyctl',
      [number(KEYCTL_JOIN_SESSION_KEYRING, F.KEYCTL_OPERATIONS), string(`_ses.${c.options.id}`)],
      {
        tolerate: [ERRNO.ENOSYS, ERRNO.EACCES, ERRNO.EDQUOT],
      },
    ),
  ]);
}

export function hostname(c: Context): void {
  const { hostname: name, domainname } = c.spec;
  if (name !== undefined && name !== '') {
    c.child('hostname', `set the host name ${name}`, '/hostname', [call('sethostname', [...text(name)])]);
  }
  if (domainname !== undefined && domainname !== '') {
    c.child('domainname', `set the domain name ${domainname}`, '/domainname', [
      call('setdomainname', [...text(domainname)]),
    ]);
  }
}

const text = (bytes: Bytes) => [pointer({ kind: 'buffer', bytes }, 1), number(bytes.length)] as const;

export function sysctls(c: Context): void {
  for (const [key, content] of Object.entries(c.spec.linux?.sysctl ?? {})) {
    const path = `sys/${sysctlPath(key) ?? key}`;
    const file = slot(key);
    const procfs = privateProcfs(c);
    c.child(
      'sysctl',
      `set ${key} to ${content}`,
      `/linux/sysctl/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      [
        sys.openat2(procfs, path, O_WRONLY | O_CLOEXEC, RESOLVE_CHILD, { result: file }),
        sys.write(file, content),
        sys.close(file),
      ],
    );
  }
}

/** RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH */
const RESOLVE_CHILD = 0x01 | 0x02 | 0x08;

/** setrlimit(2) by prlimit64(2), 64 bits wide; last of what needs descriptors, because NOFILE may be small. */
export function rlimits(c: Context): void {
  c.spec.process?.rlimits?.forEach(({ type, soft, hard }, index) => {
    const limit = struct(
      { name: 'rlim_cur', width: 8, value: soft },
      { name: 'rlim_max', width: 8, value: hard },
    );
    const resource = rlimitNumber(type) ?? -1;
    c.child('rlimit', `limit ${type} to ${soft}, at most ${hard}`, `/process/rlimits/${index}`, [
      call('prlimit64', [number(0), number(resource, F.RLIMIT), pointer(limit, 'fixed'), NULL]),
    ]);
  });
}

/** Lowering needs CAP_SYS_RESOURCE in the first user namespace (fact K): EACCES then names this field. */
export function oomScore(c: Context): void {
  const score = c.spec.process?.oomScoreAdj;
  if (score === undefined) return;
  const file = slot('oom_score_adj');
  c.child('oom-score', `set oom_score_adj to ${score}`, '/process/oomScoreAdj', [
    sys.openat(sys.AT_FDCWD, '/proc/self/oom_score_adj', O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, String(score)),
    sys.close(file),
  ]);
}

/**
 * An ordinary user cannot write the file of a child that nobody may look into, because it belongs to root then: the
 * launcher, as long as it may, takes the score itself, and after the clone its own again. The result does the latter.
 */
export function lendOomScore(c: Context, own: number | undefined): () => void {
  const score = c.spec.process?.oomScoreAdj;
  if (score === undefined || own === undefined) return () => undefined;
  const file = slot('oom_score_adj');
  c.parent('lend-oom-score', `set oom_score_adj to ${score} for the child`, '/process/oomScoreAdj', [
    sys.openat(sys.AT_FDCWD, '/proc/self/oom_score_adj', O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, String(score)),
  ]);
  return () => {
    c.parent('own-oom-score', `set oom_score_adj back to ${own}`, '/process/oomScoreAdj', [
      sys.write(file, String(own)),
      sys.close(file),
    ]);
  };
}

/** The words of a capability set that the caller can give: what it lacks itself, capset(2) refuses as a whole. */
function words(c: Context, names: readonly Bytes[] | undefined): [number, number] {
  // config.md: what this kernel does not know is warned of, and left out.
  const [low, high] = capabilityWords((names ?? []).filter(isCapability));
  if (c.inUserNamespace) return [low, high];
  const [allowedLow, allowedHigh] = c.facts.permitted;
  return [(low & allowedLow) >>> 0, (high & allowedHigh) >>> 0];
}

const CAPABILITY_NAMES = Object.keys(CAPABILITIES) as (keyof typeof CAPABILITIES)[];
const ZEROS = [number(0), number(0), number(0)] as const;
const DROPS = CAPABILITY_NAMES.map((name) =>
  fixedCall('prctl', [
    number(PR_CAPBSET_DROP, F.PRCTL_OPERATIONS),
    number(CAPABILITIES[name], F.CAPABILITY),
    ...ZEROS,
  ]),
);

function dropBounding(c: Context, bounding: readonly Bytes[]): void {
  const calls = DROPS.filter((_, index) => {
    const name = CAPABILITY_NAMES[index] as keyof typeof CAPABILITIES;
    return CAPABILITIES[name] <= c.facts.lastCapability && !bounding.includes(name);
  });
  c.child(
    'bounding-set',
    `drop ${calls.length} capabilities from the bounding set`,
    '/process/capabilities/bounding',
    calls,
  );
}

/**
 * Bounding set first (it needs CAP_SETPCAP, which a change of uid loses: fact B5); then groups and ids with
 * KEEPCAPS (B2); then capset and the ambient set (B3).
 */
export function identity(c: Context): void {
  const user = c.spec.process?.user ?? { uid: 0, gid: 0 };
  const capabilities = c.spec.process?.capabilities;
  dropBounding(c, capabilities?.bounding ?? []);
  const calls: Call[] = [sys.prctl(PR_SET_KEEPCAPS, 1)];
  const groups = user.additionalGids ?? [];
  if (mayCallSetgroups(c)) {
    const list = groups.map((gid, index) => ({ name: String(index), width: 4 as const, value: gid }));
    const memory =
      groups.length === 0 ? NULL : pointer({ kind: 'struct', fields: list, array: true }, 'fixed');
    // A joined user namespace may deny it (unshare --map-root-user); the launcher has dropped its own groups then.
    const none = groups.every((gid) => gid === user.gid);
    const tolerate = none && c.namespaces.get('user')?.kind === 'join' ? [ERRNO.EPERM] : [];
    calls.push(call('setgroups', [number(groups.length), memory], { tolerate }));
  }
  calls.push(
    call('setresgid', [number(user.gid), number(user.gid), number(user.gid)]),
    call('setresuid', [number(user.uid), number(user.uid), number(user.uid)]),
    sys.prctl(PR_SET_KEEPCAPS, 0),
  );
  c.child('user', `become ${user.uid}:${user.gid}`, '/process/user', calls);
  capabilitySets(c, capabilities ?? {});
}

/** Denied in a user namespace whose map an unprivileged process wrote (fact J, CVE-2014-8989). */
function mayCallSetgroups(c: Context): boolean {
  if (keepsGroups(c.spec)) return false;
  return !c.inUserNamespace || c.facts.privileged || c.options.mapHelpers === true;
}

function capabilitySets(c: Context, sets: LinuxCapabilities): void {
  const effective = words(c, sets.effective);
  const permitted = words(c, sets.permitted);
  const inheritable = words(c, sets.inheritable);
  const header = struct(
    { name: 'version', width: 4, value: 0x20080522, format: 'hex' },
    { name: 'pid', width: 4, value: 0 },
  );
  const data = struct(
    ...[0, 1].flatMap((half) => [
      { name: 'effective', width: 4 as const, value: effective[half] ?? 0, format: 'hex' as const },
      { name: 'permitted', width: 4 as const, value: permitted[half] ?? 0, format: 'hex' as const },
      { name: 'inheritable', width: 4 as const, value: inheritable[half] ?? 0, format: 'hex' as const },
    ]),
  );
  const calls: Call[] = [call('capset', [pointer(header, 'fixed'), pointer(data, 'fixed')])];
  calls.push(ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0));
  for (const name of sets.ambient ?? []) {
    const bit = CAPABILITIES[name as keyof typeof CAPABILITIES];
    // The kernel raises only what is permitted and inheritable (capabilities(7)); `runc spec` asks for more.
    if (bit !== undefined && has(permitted, bit) && has(inheritable, bit))
      calls.push(ambient(PR_CAP_AMBIENT_RAISE, bit));
  }
  c.child(
    'capabilities',
    'set the effective, permitted, inheritable and ambient sets',
    '/process/capabilities',
    calls,
  );
}

function has([low, high]: readonly [number, number], bit: number): boolean {
  return (((bit < 32 ? low : high) >>> (bit % 32)) & 1) === 1;
}

function ambient(operation: number, capability: number): Call {
  return call('prctl', [
    number(PR_CAP_AMBIENT, F.PRCTL_OPERATIONS),
    number(operation, F.AMBIENT_OPERATIONS),
    number(capability, F.CAPABILITY),
    number(0),
    number(0),
  ]);
}

/** The signal that the process gets when its parent ends, 0 for none (PR_SET_PDEATHSIG of prctl(2)). */
export function parentDeathSignal(signal: number): Call {
  return call('prctl', [number(PR_SET_PDEATHSIG, F.PRCTL_OPERATIONS), number(signal, F.SIGNALS), ...ZEROS]);
}

/**
 * After the change of uid, which clears it (fact L). The signal is not sent by a parent that is dead already, so the
 * child looks: the parent holds the read end of their pipe, and poll(2) tells POLLERR once nobody has it open. A
 * filter that is loaded by now (without no_new_privs) need not allow this; `system repair` then ends such a child.
 */
export function deathSignal(c: Context, pipe: { readonly executed: Slot; readonly executedEnd: Slot }): void {
  if (!c.options.dieWithParent) return;
  const signal = parentDeathSignal(SIGNALS.SIGKILL);
  const calls = c.spec.process?.noNewPrivileges ? [signal, ...parentLives(pipe)] : [signal];
  c.child(
    'death-signal',
    'die with the launcher',
    'default: an attached container does not outlive its command',
    calls,
  );
}

export function parentLives({
  executed,
  executedEnd,
}: {
  readonly executed: Slot;
  readonly executedEnd: Slot;
}): Call[] {
  const place = slot('poll_executed', { width: 4 });
  const broken = slot('broken');
  // No events are asked for: POLLERR is always told, in the upper half of the second field.
  const poll = struct({ name: 'fd', width: 4, value: place }, { name: 'events', width: 4, value: 0 });
  const now = struct({ name: 'tv_sec', width: 8, value: 0 }, { name: 'tv_nsec', width: 8, value: 0 });
  return [
    sys.close(executed),
    sys.check(executedEnd, 'GE', 0, ERRNO.EBADF, { result: place }),
    call('ppoll', [pointer(poll, 'fixed'), number(1), pointer(now, 'fixed'), NULL, number(0)], {
      result: broken,
    }),
    sys.check(broken, 'EQ', 0, ERRNO.ECANCELED),
  ];
}

export function noNewPrivileges(c: Context): void {
  if (!c.spec.process?.noNewPrivileges) return;
  c.child('no-new-privileges', 'no new privileges by execve', '/process/noNewPrivileges', [
    sys.prctl(PR_SET_NO_NEW_PRIVS, 1),
  ]);
}

/**
 * The working directory: resolved below the root by descriptor, made when it is missing, entered after the pivot
 * and proven to lie inside the root: getcwd(2) of a directory outside begins with `(unreachable)` (CVE-2024-21626).
 */
export function resolveWorkingDirectory(c: Context): Slot {
  const cwd = c.spec.process?.cwd ?? '/';
  const { calls, fd } = resolveDirectory(c, cwd);
  c.child('resolve-cwd', `find ${cwd}`, '/process/cwd', calls);
  return fd;
}

export function enterWorkingDirectory(c: Context, directory: Slot): void {
  const cwd = c.spec.process?.cwd ?? '/';
  if (relative(cwd) === '') return;
  const first = slot('cwd', { width: 4 });
  const path = struct({ name: 'first', width: 4, value: first }, { name: 'rest', width: 4092, value: 0 });
  c.child('working-directory', `change to ${cwd}`, '/process/cwd', [
    sys.fchdir(directory),
    call('getcwd', [pointer(path, 1), number(4096)]),
    sys.check(first, 'EQ', SLASH, ERRNO.ENOENT, { mask: 0xffn }),
  ]);
}

const SLASH = 0x2f;

/** Without a root of its own the path is the caller's, and is looked up as such. */
export function changeDirectory(c: Context): void {
  const cwd = c.spec.process?.cwd ?? '/';
  c.child('working-directory', `change to ${cwd}`, '/process/cwd', [sys.chdir(cwd)]);
}
