// The cgroups of one container at run time: what to compile into its start, and how they are taken away again.
import { cgroupFiles, cgroupSteps } from '../cgroups/create.ts';
import { type CgroupLayout, cgroupLayout, hierarchyName, unifiedMountPoint } from '../cgroups/layout.ts';
import { type Cgroup, cgroupPath, cgroupsAt } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { AT_REMOVEDIR } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import * as F from '../linux/flags.ts';
import { SIGNALS } from '../linux/signals.ts';
import { call, NULL, number, pointer, type Slot, slot, struct } from '../plan/call.ts';
import type { CgroupPlan } from '../plan/compile/context.ts';
import { slotValue } from '../plan/encode.ts';
import type { HostFacts } from '../plan/facts.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxDeviceCgroup, LinuxResources, Spec } from '../spec/runtime-spec.ts';
import type { Player } from './player.ts';

/** What every container may use, as runc allows it: nodes may be made, the harmless ones opened. */
const DEFAULT_RULES: readonly LinuxDeviceCgroup[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 8],
      [1, 7],
      [5, 0],
      [1, 5],
      [1, 9],
      [5, 2],
    ] as const
  ).map(([major, minor]): LinuxDeviceCgroup => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  // Pseudo-terminals of the container's own devpts (major 136), any minor.
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

const DENY_ALL: LinuxDeviceCgroup = { allow: false, access: 'rwm' };

function withDefaultDevices(resources: LinuxResources): LinuxResources {
  return { ...resources, devices: [...(resources.devices ?? [DENY_ALL]), ...DEFAULT_RULES] };
}

/** The layout of this host's cgroups as the caller sees them. */
export function hostLayout(port: Port, mounts: readonly MountEntry[]): CgroupLayout {
  const unified = unifiedMountPoint(mounts);
  const controllers = unified === undefined ? '' : (port.readFile(`${unified}/cgroup.controllers`) ?? '');
  return cgroupLayout(mounts, port.readFile('/proc/self/cgroup') ?? '', controllers);
}

/** Cgroups of a start and the directories that a record must name. */
export interface ContainerCgroups {
  readonly plan: CgroupPlan;
  readonly cgroups: readonly Cgroup[];
  readonly warnings: readonly string[];
}

/** Plans the cgroups of a container. Throws CaissonError naming the resource that this host cannot limit. */
export function planCgroups(port: Port, spec: Spec, facts: HostFacts, layout: CgroupLayout, id: Bytes): ContainerCgroups {
  const path = cgroupPath(spec.linux?.cgroupsPath, id, { rootless: !facts.privileged });
  const known = new Map<Bytes, Bytes | undefined>();
  for (let files = cgroupFiles(layout, path, known); files.length > 0; files = cgroupFiles(layout, path, known)) {
    for (const file of files) known.set(file, port.readFile(file));
  }
  const absent = new Set(
    cgroupsAt(layout, path)
      .flatMap(({ parents }) => parents)
      .filter((parent) => spec.linux?.cgroupsPath !== undefined && port.stat(parent) === undefined),
  );
  const made = cgroupSteps(withDefaultDevices(spec.linux?.resources ?? {}), layout, path, {
    files: known,
    absent,
    leaf: 'empty',
    devices: facts.privileged && facts.initialUserNamespace ? 'enforce' : 'skip',
  });
  const hierarchies = made.cgroups.map((cgroup) => ({
    name: mountName(layout, cgroup),
    path: cgroup.directory,
    version: cgroup.version,
  }));
  const plan = { create: made.steps, join: made.join, release: made.release, hierarchies };
  return {
    plan: made.intoCgroup === undefined ? plan : { ...plan, intoCgroup: made.intoCgroup },
    cgroups: made.cgroups,
    warnings: made.ignored.map(({ provenance, reason }) => `${provenance}: ${reason}`),
  };
}

/** The directory name under /sys/fs/cgroup, as this host has it. */
function mountName(layout: CgroupLayout, cgroup: Cgroup): Bytes {
  const mount = layout.hierarchies.find(({ mountPoint }) => cgroup.directory.startsWith(`${mountPoint}/`));
  return mount?.mountPoint.split('/').at(-1) ?? hierarchyName(cgroup);
}

/** How often a busy cgroup is tried again, 2 ms apart: 2 s, in which a killed process is gone. */
const ATTEMPTS = 1000;
const PAUSE_NANOSECONDS = 2_000_000;

/**
 * Removes the directories; processes that are still inside (a container without a pid namespace leaves them) are
 * killed first. Throws CaissonError ECGROUPBUSY when they do not go within 2 s.
 */
export async function removeCgroups(port: Port, player: Player, cgroups: readonly Cgroup[]): Promise<void> {
  let left = cgroups;
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt > ATTEMPTS) {
      throw new CaissonError(`cgroup ${left[0]?.directory} is busy: its processes do not end`, { code: 'ECGROUPBUSY' });
    }
    const results = left.map(({ directory }) => slot(directory, { reply: true }));
    const { batch, answer } = await player.play(removalSteps(left, results));
    left = left.filter((_, index) => slotValue(batch, answer, results[index] as Slot) === -ERRNO.EBUSY);
    if (left.length > 0) await player.play([killStep(port, left)]);
  }
}

function removalSteps(cgroups: readonly Cgroup[], results: readonly Slot[]): Step[] {
  return cgroups.map(({ directory }, index) =>
    step('parent', 'remove-cgroup', `remove ${directory}`, 'default: clean up', [
      sys.unlinkat(sys.AT_FDCWD, directory, AT_REMOVEDIR, {
        result: results[index] as Slot,
        tolerate: [ERRNO.ENOENT, ERRNO.EBUSY],
      }),
    ]),
  );
}

/** Kills what is in the cgroups, then waits a moment. A process in a frozen v1 cgroup dies only when it is thawed. */
function killStep(port: Port, cgroups: readonly Cgroup[]): Step {
  const pids = new Set(cgroups.flatMap(({ directory }) => (port.readFile(`${directory}/cgroup.procs`) ?? '').split('\n')));
  const calls = [...pids]
    .filter((pid) => Number(pid) > 1)
    .map((pid) => call('kill', [number(Number(pid)), number(SIGNALS.SIGKILL, F.SIGNALS)], { tolerate: [ERRNO.ESRCH] }));
  const pause = struct({ name: 'tv_sec', width: 8, value: 0 }, { name: 'tv_nsec', width: 8, value: PAUSE_NANOSECONDS });
  calls.push(call('ppoll', [NULL, number(0), pointer(pause, 'fixed'), NULL, number(0)]));
  return step('parent', 'kill-cgroup', 'kill what is left in the cgroups', 'default: clean up', calls);
}
