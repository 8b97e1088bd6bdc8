// Compiles a change of limits of a running container (`caisson update`).
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { deviceProgram } from './device-program.ts';
import { deviceStepsV1 } from './devices-v1.ts';
import { deviceStepsV2 } from './devices-v2.ts';
import { hierarchyOf } from './layout.ts';
import { type CurrentLimits, type IgnoredField, limitStep } from './limit.ts';
import type { Cgroup } from './path.ts';
import { resourceLimits } from './resources.ts';
import { parseNumber } from './statistics-files.ts';

export interface UpdateOptions {
  /** Contents of the files of `updateFiles`. */
  readonly files: ReadonlyMap<Bytes, Bytes | undefined>;
  readonly devices?: 'enforce' | 'skip';
  /** Whether a v2 cgroup has its device program already, which is then replaced. */
  readonly hasDeviceProgram?: boolean;
  readonly deviceProvenance?: readonly Pointer[];
}

/** The files whose present content decides the order of an update. */
export function updateFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const memory = hierarchyOf(cgroups, 'memory');
  const devices = hierarchyOf(cgroups, 'devices');
  const names =
    memory?.version === 2
      ? ['memory.max', 'memory.current']
      : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
  return [
    ...(memory === undefined ? [] : names.map((name) => `${memory.directory}/${name}`)),
    ...(devices === undefined ? [] : [`${devices.directory}/devices.list`]),
  ];
}

/** The steps of an update, and what it cannot change. Throws as `cgroupSteps`. */
export function updateSteps(
  resources: LinuxResources,
  cgroups: readonly Cgroup[],
  options: UpdateOptions,
): { readonly steps: readonly Step[]; readonly ignored: readonly IgnoredField[] } {
  const ignored: IgnoredField[] = [];
  const limits = resourceLimits(resources, cgroups, {
    update: currentLimits(cgroups, options.files),
    ignore: (provenance, reason) => ignored.push({ provenance, reason }),
  });
  const steps = limits.map(({ cgroup, limit }) => limitStep(cgroup.directory, limit));
  return { steps: [...steps, ...deviceUpdate(resources, cgroups, options)], ignored };
}

function currentLimits(cgroups: readonly Cgroup[], files: UpdateOptions['files']): CurrentLimits {
  const [limit, usage] = updateFiles(cgroups)
    .filter((file) => /\/memory\.[^/]*$/.test(file))
    .map((file) => parseNumber(files.get(file)));
  return {
    ...(limit === undefined ? {} : { memoryLimit: limit }),
    ...(usage === undefined ? {} : { memoryUsage: usage }),
  };
}

function deviceUpdate(resources: LinuxResources, cgroups: readonly Cgroup[], options: UpdateOptions): Step[] {
  const rules = resources.devices ?? [];
  if (rules.length === 0 || options.devices === 'skip') return [];
  const provenance = rules.map(
    (_, index) => options.deviceProvenance?.[index] ?? `/linux/resources/devices/${index}`,
  );
  const v1 = hierarchyOf(cgroups, 'devices');
  if (v1 !== undefined) {
    return deviceStepsV1(v1.directory, rules, provenance, options.files.get(`${v1.directory}/devices.list`));
  }
  const v2 = cgroups.find(({ version }) => version === 2);
  if (v2 === undefined) return [];
  const directory = slot('cgroup unified');
  return [
    step('parent', 'cgroup-open', `open ${v2.directory}`, provenance, [
      openat(AT_FDCWD, v2.directory, O_RDONLY | O_CLOEXEC, 0, { result: directory }),
    ]),
    ...deviceStepsV2(directory, deviceProgram(rules, { provenance }), provenance, {
      replace: options.hasDeviceProgram === true,
    }),
    step('parent', 'cgroup-release', 'close the cgroup', provenance, [close(directory)]),
  ];
}
