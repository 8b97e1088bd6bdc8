// What a process of `exec` has that a container's first one has otherwise: its terminal, its stdio, its CPUs.
//
// pts(4), ioctl_tty(2), sched_setaffinity(2); config.md, execCPUAffinity; CVE-2025-52565.
import { DEVPTS_SUPER_MAGIC } from '../../linux/constants/filesystem.ts';
import { O_CLOEXEC, O_NOCTTY, O_RDWR, RESOLVE_NO_MAGICLINKS } from '../../linux/constants/open.ts';
import { TIOCGPTPEER, TIOCSCTTY, TIOCSPTLCK } from '../../linux/constants/terminal.ts';
import { cpuMask, parseCpuList } from '../../linux/cpulist.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, call, number, pointer, type Slot, slot, struct, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { sendDescriptor } from './descriptor.ts';
import { windowSize } from './devices.ts';
import { everyCpu } from './scheduling.ts';
import { lineFeeds } from './terminal-modes.ts';

/**
 * A pseudo-terminal of the container's devpts, its master sent out, its peer as stdio. What lies at /dev/pts/ptmx is
 * the container's: it must be of a devpts, or else nothing of it is sent anywhere.
 */
export function joinedTerminal(c: Context, sendTo: Slot | undefined): void {
  if (!c.spec.process?.terminal) return;
  const main = slot('ptmx');
  const peer = slot('pts');
  const type = slot('f_type');
  const statfs = struct({ name: 'f_type', width: 8, value: type }, { name: 'rest', width: 112, value: 0 });
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  const calls: Call[] = [
    sys.openat2(sys.AT_FDCWD, '/dev/pts/ptmx', flags, RESOLVE_NO_MAGICLINKS, { result: main }),
    call('fstatfs', [value(main), pointer(statfs, 'fixed')]),
    sys.check(type, 'EQ', DEVPTS_SUPER_MAGIC, ERRNO.ENOTTY),
    sys.ioctl(main, TIOCSPTLCK, struct({ name: 'locked', width: 4, value: 0 })),
    sys.ioctl(main, TIOCGPTPEER, flags, { result: peer }),
    ...windowSize(c, main),
    ...lineFeeds(c, peer),
  ];
  if (sendTo !== undefined) {
    // Engines show the name (runc's utils.SendFile).
    const name = c.options.consoleSocket === undefined ? 'x' : '/dev/ptmx';
    calls.push(...sendDescriptor(sendTo, main, name), sys.close(sendTo));
  }
  calls.push(sys.close(main));
  for (const fdNumber of [0, 1, 2]) calls.push(sys.dup3(peer, fdNumber, 0));
  calls.push(sys.ioctl(0, TIOCSCTTY, 0));
  c.child('terminal', 'a terminal of its own as stdio', '/process/terminal', calls);
}

/**
 * Pipes and sockets of the caller become the user's own, as in runc: programs open /dev/stdout again. Refused where
 * their owner has no id in the user namespace.
 */
export function stdioOwner(c: Context): void {
  const { user, terminal } = c.spec.process ?? {};
  const own = c.options.ownStdio ?? [];
  if (user === undefined || terminal === true || own.length === 0) return;
  const tolerate = [ERRNO.EPERM, ERRNO.EROFS];
  c.child(
    'stdio-owner',
    `give the standard descriptors ${own.join(', ')} to ${user.uid}`,
    '/process/user',
    own.map((fd) => call('fchown', [number(fd), number(user.uid), number(0xffffffff)], { tolerate })),
  );
}

function setAffinity(cpus: string): Call {
  const bytes = cpuMask(parseCpuList(cpus));
  const mask = pointer({ kind: 'buffer', bytes, text: `/* ${bytes.length} bytes */` }, 1);
  return call('sched_setaffinity', [number(0), number(bytes.length), mask]);
}

/**
 * `initial` before the cgroups are joined, `final` after it. Without either of them the process may use every CPU of
 * its cpuset, whatever the caller was bound to (runc).
 */
export function affinityOf(c: Context): { initial(): void; final(): void } {
  const { initial = '', final = '' } = c.spec.process?.execCPUAffinity ?? {};
  const cause = '/process/execCPUAffinity';
  return {
    initial() {
      if (initial === '') return;
      c.parent('affinity', `run on the CPUs ${initial} until the cgroups are joined`, `${cause}/initial`, [
        setAffinity(initial),
      ]);
    },
    final() {
      if (final !== '')
        c.child('affinity', `run on the CPUs ${final}`, `${cause}/final`, [setAffinity(final)]);
      else if (initial === '') everyCpu(c);
    },
  };
}
