// Which limits can be set here: the cgroup hierarchies, their controllers, and what is delegated to the caller.
import type { DoctorFacts } from './facts.ts';
import { type Finding, finding } from './finding.ts';

/** What the usual flags need. */
const WANTED: readonly string[] = ['memory', 'cpu', 'pids', 'io', 'cpuset'];

/** cgroups(7), Delegation; cgroup v1 is not safe to delegate (facts/security.md). */
function delegation({ cgroups: { mode, delegated } }: DoctorFacts): Finding {
  const subject = 'cgroup delegation';
  if (delegated !== undefined)
    return finding('cgroup-delegation', subject, 'ok', `${delegated} is the caller's own`);
  const advice =
    mode === 'v2'
      ? 'run inside of a delegated one: systemd-run --user --scope -p Delegate=yes caisson ...'
      : 'only cgroup v2 can be delegated: boot with systemd.unified_cgroup_hierarchy=1';
  return finding(
    'cgroup-delegation',
    subject,
    'limited',
    'none: containers of this user have no limits',
    advice,
  );
}

function controllers({ cgroups: { mode, controllers: offered, swap } }: DoctorFacts): Finding {
  const missing = WANTED.filter((name) => !offered.has(name));
  const extra = [...offered].filter((name) => name !== '' && !name.startsWith('name='));
  const found = extra.length === 0 ? 'none' : extra.sort().join(', ');
  const advice: string[] = [];
  if (missing.length > 0)
    advice.push(`${missing.join(', ')} cannot be limited here: enable the controller in the kernel`);
  if (missing.includes('memory')) advice.push('some kernels want cgroup_enable=memory on their command line');
  const subject = 'controllers';
  if (advice.length > 0) return finding('cgroup-controllers', subject, 'limited', found, ...advice);
  if (swap || mode !== 'v1') return finding('cgroup-controllers', subject, 'ok', found);
  return finding(
    'cgroup-controllers',
    subject,
    'note',
    found,
    'swap is not limited: swapaccount=1 on the kernel command line',
  );
}

export function cgroupFindings(facts: DoctorFacts): Finding[] {
  const { mode, readOnly } = facts.cgroups;
  const subject = 'cgroups';
  if (mode === undefined) {
    return [
      finding(
        'cgroups',
        subject,
        'limited',
        'no hierarchy is mounted: containers have no limits',
        'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
      ),
    ];
  }
  if (readOnly) {
    const advice = 'let the outer container have them writable: docker run --privileged';
    return [
      finding('cgroups', subject, 'limited', `${mode}, mounted read-only: containers have no limits`, advice),
    ];
  }
  const names = { v1: 'v1', v2: 'v2', hybrid: 'hybrid: v1, and v2 beside it' };
  const own = facts.privileged ? [] : [delegation(facts)];
  return [finding('cgroups', subject, 'ok', names[mode]), controllers(facts), ...own];
}
