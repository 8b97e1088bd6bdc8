// Hosts for the tests of this folder: what /proc says on a hybrid host, a v2 host, and one with co-mounted v1.
import { parseMountinfo } from '../linux/mountinfo.ts';
import { printCall } from '../plan/print.ts';
import type { Step } from '../plan/step.ts';
import { type CgroupLayout, cgroupLayout } from './layout.ts';

export const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
export const HYBRID_SELF = '9:name=systemd:/\n8:pids:/\n4:memory:/jobs/one\n3:cpuset:/\n1:cpu:/\n0::/\n';

export const UNIFIED = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

export function hybridHost(): CgroupLayout {
  return cgroupLayout(parseMountinfo(HYBRID), HYBRID_SELF, 'hugetlb\n');
}

export function unifiedHost(own = '/'): CgroupLayout {
  return cgroupLayout(parseMountinfo(UNIFIED), `0::${own}\n`, 'cpuset cpu io memory hugetlb pids\n');
}

/** v1 with two controllers in one hierarchy, the freezer, devices, and no v2. */
export function mountedTogether(): CgroupLayout {
  const mounts = ['cpu,cpuacct', 'freezer', 'devices', 'blkio', 'pids']
    .map(
      (name, index) =>
        `${index + 1} 0 0:${index + 1} / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}\n`,
    )
    .join('');
  return cgroupLayout(
    parseMountinfo(mounts),
    '5:freezer:/\n4:devices:/\n3:cpu,cpuacct:/\n2:blkio:/\n1:pids:/\n',
    '',
  );
}

/** The calls of steps as a person reads them. */
export function printed(steps: readonly Step[]): string[] {
  return steps.flatMap(({ calls }) => calls.map((call) => printCall(call)));
}
