// The root of a running container as a launcher's current directory: through its first process, with all its mounts.
//
// `/proc/PID/root` is a descriptor of what the process sees as `/`; the launcher stays in its own mount namespace and
// lives in the container's user namespace, so that new files get the container's ids. It is not dumpable by then: nobody
// in the container can trace it (CVE-2016-9962), and no program of the image is executed (CVE-2019-14271).
import type { Port } from '../../host/port.ts';
import type { FileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { CLONE_NEWUSER, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import { parseIdMap } from '../../linux/idmap.ts';
import { type Call, call, number, slot } from '../../plan/call.ts';
import { O_DIRECTORY } from '../../plan/compile/destination.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { inUserNamespace, isAlive, type ProcessIdentity } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';

/** What is changed in a user namespace where id 0 may not be mapped. */
const UNMAPPED = { tolerate: [ERRNO.EINVAL, ERRNO.EPERM] };

/**
 * A launcher whose current directory is the root of the container of `init`. Throws CaissonError `ENOTRUNNING` when
 * the process has ended.
 */
export async function enterRunning(port: Port, init: ProcessIdentity, cause: Bytes): Promise<FileLauncher> {
  const channel = await port.openChannel({ noInput: true, concurrent: true });
  try {
    const player = new Player(port, channel);
    const pidfd = slot('pidfd', { reply: true });
    const opened = await player.play([
      step('parent', 'open-process', `open process ${init.pid}`, cause, [
        call('pidfd_open', [number(init.pid), number(0)], { result: pidfd }),
      ]),
    ]);
    // The descriptor is of the process that was meant, for that is alive still.
    if (!isAlive(port, init)) throw notRunning(cause);
    const joins = port.readLink?.(`/proc/${init.pid}/ns/user`) !== port.readLink?.('/proc/self/ns/user');
    const join = joins ? joinUser(slotValue(opened.batch, opened.answer, pidfd)) : [];
    // Root may look before it joins; a user only as root of the namespace (ptrace(2), access mode checks).
    const before = port.uid === 0;
    const root = slot('root');
    const look = [
      sys.openat(sys.AT_FDCWD, `/proc/${init.pid}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, {
        result: root,
      }),
    ];
    await player.play([
      step('parent', 'enter-root', 'open the root of the container with its mounts', cause, [
        ...(before ? [...look, ...join] : [...join, ...look]),
        sys.fchdir(root),
        sys.close(root),
      ]),
    ]);
    // What was opened is of the same process, for that is alive still.
    if (!isAlive(port, init)) throw notRunning(cause);
    return { channel, ...rightsOf(port, init, joins) };
  } catch (error) {
    await channel.close();
    throw error;
  }
}

function notRunning(cause: Bytes): CaissonError {
  return new CaissonError(`${cause} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
}

function joinUser(pidfd: number): Call[] {
  return [
    sys.prctl(PR_SET_DUMPABLE, 0),
    sys.setns(pidfd, CLONE_NEWUSER),
    call('setresgid', [number(0), number(0), number(0)], UNMAPPED),
    call('setresuid', [number(0), number(0), number(0)], UNMAPPED),
  ];
}

/** What may be made in there: all owners and devices for root of the first user namespace alone. */
export function rightsOf(
  port: Port,
  init: Pick<ProcessIdentity, 'pid'>,
  joins: boolean,
): Omit<FileLauncher, 'channel'> {
  if (!joins && !inUserNamespace(port) && port.uid === 0)
    return { owners: { kind: 'keep' }, devices: true, userxattr: false };
  const counts = ['uid_map', 'gid_map'].map((file) =>
    parseIdMap(port.readFile(`/proc/${init.pid}/${file}`) ?? '').reduce((sum, { size }) => sum + size, 0),
  );
  const ids = Math.min(...counts);
  return {
    owners: ids <= 1 ? { kind: 'squash' } : { kind: 'keep', ids },
    devices: false,
    userxattr: true,
  };
}
