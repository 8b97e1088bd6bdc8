// Namespaces: which are new, joined or inherited; the one clone3; identity maps; and what the child unshares late.
//
// Facts and their numbers (F1, F6, H3, I1, J): ../shared/facts/launcher.md 4.2; clone(2), user_namespaces(7),
// time_namespaces(7), setns(2).
import type { Bytes } from '../../linux/bytes.ts';
import { NS_GET_NSTYPE } from '../../linux/constants/filesystem.ts';
import { O_CLOEXEC, O_RDONLY, O_WRONLY } from '../../linux/constants/open.ts';
import {
  CLONE_INTO_CGROUP,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_PIDFD,
  PR_SET_DUMPABLE,
} from '../../linux/constants/process.ts';
import { AF_NETLINK, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { linkSetUp } from '../../linux/rtnetlink.ts';
import type { LinuxIDMapping, LinuxNamespaceType } from '../../spec/runtime-spec.ts';
import {
  type Call,
  call,
  type Memory,
  NULL,
  number,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import * as sys from '../syscalls.ts';
import { keepsGroups } from './annotations.ts';
import { type Context, namespacePointer } from './context.ts';
import { O_DIRECTORY } from './destination.ts';
import { cloneByNotifier, notifies } from './notify.ts';

export const CLONE_FLAG: Readonly<Record<LinuxNamespaceType, number>> = {
  mount: CLONE_NEWNS,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  user: CLONE_NEWUSER,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
};

/** Namespaces whose creation must come after the identity map, lest nobody (65534) own them (fact F1). */
const AFTER_MAP: readonly LinuxNamespaceType[] = ['network', 'ipc', 'cgroup'];

/** Results of the parent that the run needs. */
export interface ForkSlots {
  readonly pid: Slot;
  readonly pidfd: Slot;
  /** EOF here: the child has executed its program, or is dead. */
  readonly executed: Slot;
  /** The child's end of that pipe. */
  readonly executedEnd: Slot;
}

const joined = new WeakMap<Context, Map<LinuxNamespaceType, Slot>>();

/** Opens the namespaces to be joined, before anything exists that could be left behind. */
export function openJoinedNamespaces(c: Context): void {
  const slots = new Map<LinuxNamespaceType, Slot>();
  joined.set(c, slots);
  for (const [type, mode] of c.namespaces) {
    if (mode.kind !== 'join') continue;
    const fd = slot(`${type}ns`);
    const kind = slot(`${type}ns_type`);
    slots.set(type, fd);
    c.parent(
      'open-namespace',
      `open the ${type} namespace ${mode.path}`,
      `${namespacePointer(c.spec, type)}/path`,
      [
        sys.openat(sys.AT_FDCWD, mode.path, O_RDONLY | O_CLOEXEC, 0, { result: fd }),
        sys.ioctl(fd, NS_GET_NSTYPE, 0, { result: kind }),
        sys.check(kind, 'EQ', CLONE_FLAG[type], ERRNO.EINVAL),
      ],
    );
  }
  const pid = slots.get('pid');
  if (pid !== undefined && !notifies(c)) {
    c.parent('join-pid', 'let the next child be born in the pid namespace', namespacePointer(c.spec, 'pid'), [
      sys.setns(pid, CLONE_NEWPID),
    ]);
  }
}

/** Whether clone3 puts the child into all of its cgroups (v2 alone), so that one call makes the namespace too (C1, C3). */
function bornInCgroup(c: Context): boolean {
  return c.options.cgroup?.intoCgroup !== undefined && c.options.cgroup.join.length === 0;
}

/** The new namespaces that clone3 makes; the others are unshared by the child. */
function clonedNamespaces(c: Context): LinuxNamespaceType[] {
  return [...c.namespaces.keys()].filter((type) => {
    if (type === 'time' || !c.isNew(type)) return false;
    if (type === 'cgroup' && !bornInCgroup(c)) return false;
    return !(c.isNew('user') && AFTER_MAP.includes(type));
  });
}

function cloneFlags(c: Context): number {
  const flags = clonedNamespaces(c).reduce((sum, type) => sum + CLONE_FLAG[type], CLONE_PIDFD);
  return c.options.cgroup?.intoCgroup === undefined ? flags : flags + CLONE_INTO_CGROUP;
}

/** The pipes and the clone3 that begins the container, and the parent's part of the identity map. */
export function fork(c: Context): ForkSlots {
  const pid = slot('pid', { reply: true });
  const executed = slot('executed', { width: 4 });
  const executedEnd = slot('executed_end', { width: 4 });
  const pidfd = slot('pidfd', { width: 4, reply: true });
  const mapped = slot('mapped', { width: 4 });
  const mappedEnd = slot('mapped_end', { width: 4 });
  const causes = clonedNamespaces(c).map((type) => namespacePointer(c.spec, type));
  const pipes = [sys.pipe2(executed, executedEnd, O_CLOEXEC)];
  if (c.isNew('user')) pipes.push(sys.pipe2(mapped, mappedEnd, O_CLOEXEC));
  c.parent('pipes', 'pipes by which parent and child wait for each other', 'default: synchronisation', pipes);
  const clone = {
    flags: cloneFlags(c),
    pidfd,
    ...(c.options.cgroup?.intoCgroup ? { cgroup: c.options.cgroup.intoCgroup } : {}),
  };
  const cause = causes.length > 0 ? causes : 'default: the process';
  if (notifies(c)) {
    const namespace = joined.get(c)?.get('pid');
    const join = namespace === undefined ? [] : [sys.setns(namespace, CLONE_NEWPID)];
    cloneByNotifier(c, { ...clone, pid, join, title: forkTitle(c), cause });
    c.parent('fork-done', 'keep the child the only writer', 'default: synchronisation', [
      sys.close(executedEnd),
    ]);
  } else {
    c.parent('fork', forkTitle(c), cause, [sys.fork(clone, { result: pid }), sys.close(executedEnd)]);
  }
  if (c.isNew('user')) writeMaps(c, pid, mapped, mappedEnd);
  return { pid, pidfd, executed, executedEnd };
}

function forkTitle(c: Context): string {
  const types = clonedNamespaces(c);
  return types.length === 0
    ? 'clone the process'
    : `clone the process with new namespaces: ${types.join(', ')}`;
}

/** One line per mapping, as /proc/PID/uid_map takes them (user_namespaces(7)). */
export function mapText(mappings: readonly LinuxIDMapping[]): Bytes {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
}

/** The pause during which newuidmap(1) and newgidmap(1) write the maps. */
export const PAUSE_ID_MAPS = 1;
/** The pause after the program has been executed. */
export const PAUSE_STARTED = 2;
/** The child's answer right before it executes, for the trace. */
export const PAUSE_TRACE = 3;
/** The created container's answer to `start`, before it goes on. */
export const PAUSE_START = 5;

function writeMaps(c: Context, pid: Slot, mapped: Slot, mappedEnd: Slot): void {
  const uidMappings = c.spec.linux?.uidMappings ?? [];
  const gidMappings = c.spec.linux?.gidMappings ?? [];
  if (c.options.mapHelpers) {
    c.parent(
      'id-maps',
      'newuidmap and newgidmap write the identity maps',
      ['/linux/uidMappings', '/linux/gidMappings'],
      [sys.pause(PAUSE_ID_MAPS)],
    );
  } else {
    const proc: Memory & { kind: 'decimal' } = { kind: 'decimal', prefix: '/proc/', slot: pid };
    const directory = slot('child_proc');
    const calls: Call[] = [
      sys.dec(pid, proc),
      sys.openat(sys.AT_FDCWD, proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: directory }),
    ];
    if (!c.facts.privileged) calls.push(...writeFile(directory, 'setgroups', 'deny'));
    calls.push(
      ...writeFile(directory, 'uid_map', mapText(uidMappings)),
      ...writeFile(directory, 'gid_map', mapText(gidMappings)),
    );
    c.parent('id-maps', 'write the identity maps', ['/linux/uidMappings', '/linux/gidMappings'], calls);
  }
  c.parent('id-maps-done', 'tell the child that it is mapped', 'default: synchronisation', [
    sys.write(mappedEnd, 'm'),
  ]);
  const answer = outBuffer('mapped_byte', 1, false);
  const length = slot('mapped_length');
  c.child('await-map', 'wait for the identity map', 'default: synchronisation', [
    sys.close(mappedEnd),
    sys.read(mapped, answer, { result: length }),
    sys.check(length, 'EQ', 1, ERRNO.ECANCELED),
  ]);
}

/** Opens, writes and closes one small file of procfs. */
export function writeFile(directory: sys.Fd, name: Bytes, content: Bytes): Call[] {
  const file = slot(name);
  return [
    sys.openat(directory, name, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, content),
    sys.close(file),
  ];
}

/** Joined by setns(2) one after the other; the mount namespace last, because it changes root and directory. */
const JOINED: readonly LinuxNamespaceType[] = ['network', 'ipc', 'uts', 'cgroup', 'time', 'mount'];

/**
 * Joins of the launcher itself, right before the clone. A user namespace takes away the privilege over namespaces of
 * the host, so that these are joined first; and what clone3 makes belongs to the user namespace of its caller.
 */
export function joinBeforeFork(c: Context): void {
  const slots = joined.get(c) ?? new Map<LinuxNamespaceType, Slot>();
  const user = slots.get('user');
  // A process of the joined namespaces could otherwise look into this one (CVE-2016-9962). The map of a new user
  // namespace is written through /proc/PID, which only root may do for such a process.
  if (user !== undefined || (slots.has('pid') && !(c.isNew('user') && !c.facts.privileged))) {
    c.parent('not-dumpable', 'keep joined processes from looking in', 'default: CVE-2016-9962', [
      sys.prctl(PR_SET_DUMPABLE, 0),
    ]);
  }
  if (c.inUserNamespace && c.facts.privileged) {
    for (const type of JOINED) if (type !== 'mount') joinOne(c, 'parent', type);
  }
  if (user === undefined) return;
  c.parent('join-user', 'join the user namespace', namespacePointer(c.spec, 'user'), [
    // The caller's groups must not be those of the container, where setgroups(2) may be denied.
    ...(c.facts.privileged && !keepsGroups(c.spec) ? [call('setgroups', [number(0), NULL])] : []),
    sys.setns(user, CLONE_NEWUSER),
  ]);
}

function joinOne(c: Context, actor: 'parent' | 'child', type: LinuxNamespaceType): void {
  const fd = joined.get(c)?.get(type);
  if (fd === undefined) return;
  c[actor]('join-namespace', `join the ${type} namespace`, namespacePointer(c.spec, type), [
    sys.setns(fd, CLONE_FLAG[type]),
  ]);
}

/** In the child, after the map: root of the user namespace, joins, and the namespaces that wait for the map. */
export function enterNamespaces(c: Context): void {
  if (c.inUserNamespace) becomeRoot(c);
  const done = c.inUserNamespace && c.facts.privileged;
  for (const type of JOINED) if (type === 'mount' || !done) joinOne(c, 'child', type);
  unshareLate(c);
}

function becomeRoot(c: Context): void {
  const covers = (mappings: readonly LinuxIDMapping[] | undefined) =>
    (mappings ?? []).some(({ containerID, size }) => containerID === 0 && size > 0);
  const { uidMappings, gidMappings } = c.spec.linux ?? {};
  const joinedUser = c.namespaces.get('user')?.kind === 'join';
  const calls: Call[] = [];
  if (joinedUser || covers(gidMappings)) calls.push(call('setresgid', [number(0), number(0), number(0)]));
  if (joinedUser || covers(uidMappings)) calls.push(call('setresuid', [number(0), number(0), number(0)]));
  c.child('become-root', 'become root of the user namespace', namespacePointer(c.spec, 'user'), calls);
}

function unshareLate(c: Context): void {
  const types = AFTER_MAP.filter((type) => {
    if (!c.isNew(type)) return false;
    return c.isNew('user') || (type === 'cgroup' && !bornInCgroup(c));
  });
  if (types.length === 0) return;
  const flags = types.reduce((sum, type) => sum | CLONE_FLAG[type], 0);
  const causes = types.map((type) => namespacePointer(c.spec, type));
  c.child('unshare', `unshare ${types.join(', ')}`, causes, [sys.unshare(flags)]);
}

/** Time offsets take effect at the child's execve (fact H3), for root and rootless alike. */
export function timeNamespace(c: Context, proc: () => sys.Fd): void {
  if (!c.isNew('time')) return;
  const calls: Call[] = [sys.unshare(CLONE_NEWTIME)];
  const causes = [namespacePointer(c.spec, 'time')];
  const lines = Object.entries(c.spec.linux?.timeOffsets ?? {})
    .map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`)
    .join('');
  if (lines !== '') {
    const write = writeFile(proc(), 'self/timens_offsets', lines);
    // Becoming another user has made the own files of /proc root's of the host (fact L), closed to a user namespace.
    const mine = c.isNew('user') ? [sys.prctl(PR_SET_DUMPABLE, 1)] : [];
    const notMine = c.isNew('user') ? [sys.prctl(PR_SET_DUMPABLE, 0)] : [];
    calls.push(...mine, ...write, ...notMine);
    causes.push('/linux/timeOffsets');
  }
  c.child('time-namespace', 'unshare time', causes, calls);
}

/** A new network namespace has a loopback device that is down; every engine expects it up. */
export function loopback(c: Context): void {
  if (!c.isNew('network')) return;
  const socket = slot('rtnetlink');
  const error = slot('rtnetlink_error', { width: 4 });
  // struct nlmsghdr, then struct nlmsgerr, whose first field is 0 or a negative errno (netlink(7)).
  const reply = struct(
    { name: 'header', width: 16, value: 0 },
    { name: 'error', width: 4, value: error },
    { name: 'rest', width: 236, value: 0 },
  );
  const message = linkSetUp(1);
  c.child('loopback', 'bring the loopback device up', namespacePointer(c.spec, 'network'), [
    call(
      'socket',
      [
        number(AF_NETLINK, F.ADDRESS_FAMILIES),
        number(SOCK_RAW | SOCK_CLOEXEC, F.SOCKET_TYPES),
        number(NETLINK_ROUTE, F.NETLINK_PROTOCOLS),
      ],
      { result: socket },
    ),
    sys.write(socket, message),
    call('read', [value(socket), pointer(reply, 2), number(256)]),
    sys.check(error, 'EQ', 0, ERRNO.ENETDOWN),
    sys.close(socket),
  ]);
}
