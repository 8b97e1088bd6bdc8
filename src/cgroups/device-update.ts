// Compiles a change of the device rules of a running container.
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';
import { deviceProgram } from './device-program.ts';
import { deviceStepsV1 } from './devices-v1.ts';
import { deviceStepsV2 } from './devices-v2.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';
import type { Contents } from './statistics.ts';

export interface DeviceUpdateOptions {
  /** Contents of the files of `deviceUpdateFiles`. */
  readonly files: Contents;
  /** Whether a v2 cgroup has its device program already, which is then replaced. */
  readonly hasDeviceProgram?: boolean;
  readonly provenance?: readonly Pointer[];
}

/** The files whose present content decides what is written. */
export function deviceUpdateFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const devices = hierarchyOf(cgroups, 'devices');
  return devices === undefined ? [] : [`${devices.directory}/devices.list`];
}

/** Replaces all device rules. Throws as `deviceList` and `deviceProgram`. */
export function deviceUpdateSteps(
  rules: readonly LinuxDeviceCgroup[],
  cgroups: readonly Cgroup[],
  options: DeviceUpdateOptions,
): Step[] {
  const provenance = rules.map(
    (_, index) => options.provenance?.[index] ?? `/linux/resources/devices/${index}`,
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
