// Kills every process of a container, those that have left its PID namespace's reach included.
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import { pidfdOpen, pidfdSendSignal } from './calls.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';

const SIGKILL = 9;

/**
 * One write kills all processes of the v2 cgroup and below (cgroup.kill, since 5.14), forks in flight included; a
 * v1 freezer is thawed after it, because a frozen process does not die. Undefined when the container has no v2
 * cgroup: then freeze, read `processFiles`, play `signalStep`, thaw.
 */
export function killStep(cgroups: readonly Cgroup[]): Step | undefined {
  const unified = cgroups.find(({ version }) => version === 2);
  if (unified === undefined) return undefined;
  const freezer = hierarchyOf(
    cgroups.filter(({ version }) => version === 1),
    'freezer',
  );
  return step('parent', 'cgroup-kill', 'kill all processes of the container', 'kill', [
    ...writing(`${unified.directory}/cgroup.kill`, '1'),
    ...(freezer === undefined ? [] : writing(`${freezer.directory}/freezer.state`, 'THAWED')),
  ]);
}

/** cgroup.procs of every hierarchy that can be asked; one is enough, the first that exists. */
export function processFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const order = [...cgroups].sort((a, b) => b.version - a.version);
  return order.map(({ directory }) => `${directory}/cgroup.procs`);
}

/** The process ids of cgroup.procs; 0, a process of an outer PID namespace, is left out. */
export function parseProcesses(content: Bytes): number[] {
  return content
    .split('\n')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0);
}

/** Sends a signal to each process that is still there; through descriptors, while frozen, so that no id is reused. */
export function signalStep(pids: readonly number[], signal = SIGKILL): Step {
  const calls = pids.flatMap((pid) => {
    const process = slot(`process ${pid}`);
    const gone = { tolerate: [ERRNO.EBADF, ERRNO.ESRCH] };
    return [
      pidfdOpen(pid, { result: process, tolerate: [ERRNO.ESRCH, ERRNO.EINVAL] }),
      pidfdSendSignal(process, signal, gone),
      close(process, gone),
    ];
  });
  return step('parent', 'cgroup-signal', `send signal ${signal} to ${pids.length} processes`, 'kill', calls);
}

/** A cgroup that is gone, or going, has nobody to kill. */
function writing(file: Bytes, text: Bytes) {
  const fd = slot(file);
  // EOPNOTSUPP: a threaded cgroup.
  const gone = { tolerate: [ERRNO.EBADF, ERRNO.ENODEV, ERRNO.EOPNOTSUPP] };
  return [
    openat(AT_FDCWD, file, O_WRONLY | O_CLOEXEC, 0, { result: fd, tolerate: [ERRNO.ENOENT, ERRNO.ENODEV] }),
    write(fd, text, gone),
    close(fd, gone),
  ];
}
