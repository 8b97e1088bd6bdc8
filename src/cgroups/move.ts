// Moves a running process into other cgroups (`caisson cgroup move`).
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import { hierarchyName } from './layout.ts';
import type { Cgroup } from './path.ts';

/** One step per hierarchy; writing a process id moves all of its threads, its children stay where they are. */
export function moveSteps(pid: number, targets: readonly Cgroup[]): Step[] {
  return targets.map((target) => {
    const fd = slot(`cgroup.procs of ${hierarchyName(target)}`);
    return step('parent', 'cgroup-move', `move process ${pid} to ${target.directory}`, 'cgroup move', [
      openat(AT_FDCWD, `${target.directory}/cgroup.procs`, O_WRONLY | O_CLOEXEC, 0, { result: fd }),
      write(fd, String(pid)),
      close(fd),
    ]);
  });
}
