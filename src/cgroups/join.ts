// How a process of `exec` gets into the cgroups of a running container.
import { O_CLOEXEC, O_RDONLY, O_WRONLY } from '../linux/constants/open.ts';
import { type Slot, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import { thawedCheck } from './fitness.ts';
import { hierarchyName } from './layout.ts';
import type { Cgroup } from './path.ts';

/**
 * The file to which a child of the launcher writes "0" to enter a cgroup. A thread that moves itself alone takes no
 * lock against forking processes, but a move through cgroup.procs does, and then waits for a grace period of RCU: 9 to
 * 16 ms on an idle 6.18. The child has one thread, so that `tasks` (v1 alone has it) moves the whole process.
 */
export function joinFile({ version }: Cgroup): string {
  return version === 1 ? 'tasks' : 'cgroup.procs';
}

/** The cause of every step that joins. */
export const JOIN_CAUSE = 'default: exec runs in the cgroups of the container';

export interface JoinPlan {
  /** Actor parent, before FORK. Fails with EBUSY when the container is frozen. */
  readonly steps: readonly Step[];
  /** Actor child. */
  readonly join: readonly Step[];
  /** For clone3 with CLONE_INTO_CGROUP. */
  readonly intoCgroup?: Slot;
  readonly release: readonly Step[];
}

/** Opens existing cgroups (from the container's state) for a new process; `frozen` ones too, where it then stops. */
export function joinCgroups(
  cgroups: readonly Cgroup[],
  { frozen = false }: { frozen?: boolean } = {},
): JoinPlan {
  const doors = cgroups.map((cgroup) => ({ cgroup, fd: slot(`cgroup ${hierarchyName(cgroup)}`) }));
  const open = doors.flatMap(({ cgroup, fd }) => [
    cgroup.version === 2
      ? openat(AT_FDCWD, cgroup.directory, O_RDONLY | O_CLOEXEC, 0, { result: fd })
      : openat(AT_FDCWD, `${cgroup.directory}/${joinFile(cgroup)}`, O_WRONLY | O_CLOEXEC, 0, { result: fd }),
    ...(frozen ? [] : thawedCheck(cgroup, false)),
  ]);
  const writes = doors.filter(({ cgroup }) => cgroup.version === 1).map(({ fd }) => write(fd, '0'));
  const into = doors.find(({ cgroup }) => cgroup.version === 2);
  const cause = JOIN_CAUSE;
  const plan: JoinPlan = {
    steps: [step('parent', 'cgroup-open', 'open the cgroups of the container', cause, open)],
    join:
      writes.length === 0
        ? []
        : [step('child', 'cgroup-join', 'join the cgroups of the container', cause, writes)],
    release: [
      step(
        'parent',
        'cgroup-release',
        'close the cgroups',
        cause,
        doors.map(({ fd }) => close(fd)),
      ),
    ],
  };
  return into === undefined ? plan : { ...plan, intoCgroup: into.fd };
}
