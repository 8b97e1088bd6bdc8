// Checks of `process.scheduler` against what sched_setattr(2) accepts.

import type { Check, Fields } from './check.ts';
import type { LinuxSchedulerFlag, LinuxSchedulerPolicy } from './runtime-spec.ts';

const POLICIES: readonly LinuxSchedulerPolicy[] = [
  'SCHED_OTHER',
  'SCHED_FIFO',
  'SCHED_RR',
  'SCHED_BATCH',
  'SCHED_ISO',
  'SCHED_IDLE',
  'SCHED_DEADLINE',
];
const FLAGS: readonly LinuxSchedulerFlag[] = [
  'SCHED_FLAG_RESET_ON_FORK',
  'SCHED_FLAG_RECLAIM',
  'SCHED_FLAG_DL_OVERRUN',
  'SCHED_FLAG_KEEP_POLICY',
  'SCHED_FLAG_KEEP_PARAMS',
  'SCHED_FLAG_UTIL_CLAMP_MIN',
  'SCHED_FLAG_UTIL_CLAMP_MAX',
];
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** Checks `process.scheduler`: each policy has its own fields (sched(7)). */
export function checkScheduler(scheduler: Fields, c: Check): void {
  c.require(scheduler, 'policy');
  const policy = c.oneOf(scheduler, 'policy', POLICIES, 'a scheduling policy');
  const nice = c.integer(scheduler, 'nice', INT32_MIN, INT32_MAX);
  const priority = c.integer(scheduler, 'priority', INT32_MIN, INT32_MAX) ?? 0;
  c.someOf(scheduler, 'flags', FLAGS, 'a scheduling flag');
  if (policy === undefined) return;
  if (
    (policy === 'SCHED_OTHER' || policy === 'SCHED_BATCH') &&
    nice !== undefined &&
    (nice < -20 || nice > 19)
  ) {
    c.fail('nice', `${nice} is out of range; expected -20 to 19`);
  }
  if (policy === 'SCHED_FIFO' || policy === 'SCHED_RR') {
    if (priority < 1 || priority > 99)
      c.fail('priority', `${priority} is out of range; ${policy} has 1 to 99`);
  } else if (priority !== 0) {
    c.fail('priority', `${policy} has no priority; only SCHED_FIFO and SCHED_RR have`);
  }
  checkDeadline(scheduler, policy, c);
}

function checkDeadline(scheduler: Fields, policy: LinuxSchedulerPolicy, c: Check): void {
  const runtime = c.uint64(scheduler, 'runtime') ?? 0;
  const deadline = c.uint64(scheduler, 'deadline') ?? 0;
  const period = c.uint64(scheduler, 'period') ?? 0;
  if (policy !== 'SCHED_DEADLINE') {
    for (const key of ['runtime', 'deadline', 'period']) {
      if (scheduler[key] !== undefined && scheduler[key] !== 0)
        c.fail(key, `${policy} has none; only SCHED_DEADLINE has`);
    }
    return;
  }
  // sched_setattr(2): EINVAL unless 1024 <= runtime <= deadline <= period (0 is the deadline).
  if (runtime < 1024) c.fail('runtime', `${runtime} ns; SCHED_DEADLINE needs at least 1024`);
  if (deadline < runtime) c.fail('deadline', `${deadline} ns is below the runtime, ${runtime} ns`);
  if (period > 0 && period < deadline) c.fail('period', `${period} ns is below the deadline, ${deadline} ns`);
}
