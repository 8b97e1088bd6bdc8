// Device nodes, the default symbolic links of /dev, and the terminal.
//
// config-linux.md, Default Devices and Devices; mknod(2), pts(4), ioctl_tty(2). CVE-2026-41579: everything is done
// relative to one held descriptor of /dev; CVE-2025-52565: the peer comes from TIOCGPTPEER, not from a path.
import type { Bytes } from '../../linux/bytes.ts';
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/constants/mount.ts';
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_NOCTTY,
  O_PATH,
  O_RDWR,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFREG,
} from '../../linux/constants/open.ts';
import { TIOCGPTPEER, TIOCSCTTY, TIOCSPTLCK, TIOCSWINSZ } from '../../linux/constants/terminal.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { Pointer } from '../../spec/error.ts';
import { parseMountOptions } from '../../spec/mount-options.ts';
import type { LinuxDevice, Spec } from '../../spec/runtime-spec.ts';
import { type Call, call, number, type Slot, slot, struct, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative } from './context.ts';
import { sendDescriptor } from './descriptor.ts';
import { O_NOFOLLOW, resolveDirectory } from './destination.ts';
import { makeNode } from './device-node.ts';
import { ONTO } from './file-system.ts';
import { lineFeeds } from './terminal-modes.ts';

/** config-linux.md, Default Devices, with their numbers (Documentation/admin-guide/devices.txt). */
export const DEFAULT_DEVICES: readonly LinuxDevice[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
].map(([name, major, minor]) => ({
  path: `/dev/${name}`,
  type: 'c',
  major: Number(major),
  minor: Number(minor),
  fileMode: 0o666,
}));

export const DEFAULT_LINKS: readonly (readonly [Bytes, Bytes])[] = [
  ['/proc/self/fd', 'fd'],
  ['/proc/self/fd/0', 'stdin'],
  ['/proc/self/fd/1', 'stdout'],
  ['/proc/self/fd/2', 'stderr'],
  ['pts/ptmx', 'ptmx'],
];

/** A /dev that is bound from elsewhere is somebody's choice, and is left alone, as in runc. */
export function devIsBound(spec: Spec): boolean {
  return (spec.mounts ?? []).some(
    ({ destination, options, type }) =>
      relative(destination) === 'dev' && parseMountOptions(options, type).bind,
  );
}

export function devices(c: Context): void {
  if (!devIsBound(c.spec)) {
    const made = new Set((c.spec.linux?.devices ?? []).map(({ path }) => path));
    const missing = DEFAULT_DEVICES.filter(({ path }) => !made.has(path));
    const calls = missing.flatMap((device) => node(c, device));
    c.child(
      'devices',
      `make ${missing.map(({ path }) => path).join(' ')}`,
      'default: config-linux.md, Default Devices',
      calls,
    );
    links(c);
  }
  c.spec.linux?.devices?.forEach((device, index) => {
    const cause: Pointer = `/linux/devices/${index}`;
    // It is a link to the container's own devpts, whatever the host has (as in runc: --privileged lists every device).
    if (relative(device.path) === 'dev/ptmx') return;
    c.child('device', `make the device ${device.path}`, cause, node(c, device));
  });
}

function node(c: Context, device: LinuxDevice): Call[] {
  const name = relative(device.path);
  const cut = name.lastIndexOf('/');
  const { calls, fd } = resolveDirectory(c, cut < 0 ? '' : name.slice(0, cut));
  const base = name.slice(cut + 1);
  const bound = c.inUserNamespace || !c.facts.initialUserNamespace;
  const create = bound ? bindNode(fd, base, device) : makeNode(c.spec, fd, base, device);
  return [...calls, ...create];
}

/** mknod(2) is refused in a user namespace (fact E1): the host's node is bound over an empty file. */
function bindNode(directory: Slot, base: Bytes, device: LinuxDevice): Call[] {
  const tree = slot(`host_${base}`);
  const target = slot(`dev_${base}`);
  return [
    sys.openTree(sys.AT_FDCWD, device.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: tree }),
    sys.mknodat(directory, base, S_IFREG | 0o666, 0, { tolerate: [ERRNO.EEXIST] }),
    sys.openat(directory, base, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, { result: target }),
    sys.moveMount(tree, target, ONTO),
  ];
}

function links(c: Context): void {
  const { calls, fd } = resolveDirectory(c, '/dev');
  for (const [target, name] of DEFAULT_LINKS)
    calls.push(sys.symlinkat(target, fd, name, { tolerate: [ERRNO.EEXIST] }));
  if (c.facts.files.has('/proc/kcore'))
    calls.push(sys.symlinkat('/proc/kcore', fd, 'core', { tolerate: [ERRNO.EEXIST] }));
  c.child(
    'dev-links',
    'link fd, stdin, stdout, stderr, ptmx and core in /dev',
    'default: config-linux.md, Default Symbolic Links',
    calls,
  );
}

/** A pseudo-terminal of the container's own devpts: bound on /dev/console, its master sent out, its peer as stdio. */
export function terminal(c: Context, sendTo: Slot | undefined): void {
  if (!c.spec.process?.terminal) return;
  const main = slot('ptmx');
  const peer = slot('pts');
  const { calls, fd } = resolveDirectory(c, '/dev');
  const console = slot('/dev/console');
  const tree = slot('console_tree');
  calls.push(
    sys.openat2(
      c.root,
      'dev/pts/ptmx',
      O_RDWR | O_NOCTTY | O_CLOEXEC,
      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      { result: main },
    ),
    sys.ioctl(main, TIOCSPTLCK, struct({ name: 'locked', width: 4, value: 0 })),
    sys.ioctl(main, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC, { result: peer }),
    ...windowSize(c, main),
    ...lineFeeds(c, peer),
    sys.mknodat(fd, 'console', S_IFREG | 0o620, 0, { tolerate: [ERRNO.EEXIST] }),
    sys.openat(fd, 'console', O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, { result: console }),
    sys.openTree(peer, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, { result: tree }),
    sys.moveMount(tree, console, ONTO),
  );
  if (sendTo !== undefined) {
    // Engines show the name (runc's utils.SendFile).
    calls.push(...sendDescriptor(sendTo, main, c.options.consoleSocket === undefined ? 'x' : '/dev/ptmx'));
    if (c.options.consoleSocket !== undefined) calls.push(sys.close(sendTo));
  }
  calls.push(sys.close(main));
  for (const fdNumber of [0, 1, 2]) calls.push(sys.dup3(peer, fdNumber, 0));
  calls.push(sys.ioctl(0, TIOCSCTTY, 0));
  c.child('terminal', 'a terminal of its own: /dev/console and stdio', '/process/terminal', calls);
}

export function windowSize(c: Context, main: Slot): Call[] {
  const size = c.spec.process?.consoleSize;
  if (size === undefined) return [];
  const winsize = struct(
    { name: 'ws_row', width: 2, value: size.height },
    { name: 'ws_col', width: 2, value: size.width },
    { name: 'ws_xpixel', width: 2, value: 0 },
    { name: 'ws_ypixel', width: 2, value: 0 },
  );
  return [sys.ioctl(main, TIOCSWINSZ, winsize)];
}

/** The peer belongs to the container's user, as login(1) leaves it. */
export function terminalOwner(c: Context): void {
  const user = c.spec.process?.user;
  if (!c.spec.process?.terminal || user === undefined || (user.uid === 0 && user.gid === 0)) return;
  c.child('terminal-owner', `give the terminal to ${user.uid}`, '/process/user', [
    call('fchown', [value(0), number(user.uid), number(0xffffffff)]),
  ]);
}
