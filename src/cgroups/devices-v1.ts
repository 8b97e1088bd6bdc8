// Steps that set the device list of a v1 cgroup (Documentation/admin-guide/cgroup-v1/devices.rst).
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';
import { type DeviceList, deviceList, deviceText, parseDeviceList } from './device-list.ts';

interface Write {
  readonly file: 'devices.allow' | 'devices.deny';
  readonly text: Bytes;
  readonly provenance: readonly Pointer[];
}

/**
 * Sets the list of the cgroup at `directory`. `current` is the devices.list of a cgroup with processes: what stays
 * is then not withdrawn for a moment, and the write that denies all, which a cgroup with children refuses (EINVAL),
 * is left out where possible. Throws as `deviceList`.
 */
export function deviceStepsV1(
  directory: Bytes,
  rules: readonly LinuxDeviceCgroup[],
  provenance: readonly Pointer[],
  current?: Bytes,
): Step[] {
  const list = deviceList(rules, provenance);
  const kept = current === undefined ? undefined : parseDeviceList(current);
  return kept === undefined || list.allowAll
    ? [...writeSteps(directory, [reset(list)]), ...writeSteps(directory, exceptions(list))]
    : [...writeSteps(directory, withdrawn(list, kept)), ...writeSteps(directory, gained(list, kept))];
}

/** Writes to one file: the first step opens it, the last one closes it. */
function writeSteps(directory: Bytes, writes: readonly Write[]): Step[] {
  const fd = slot(writes[0]?.file ?? '');
  return writes.map(({ file, text, provenance }, index) =>
    step(
      'parent',
      'cgroup-device',
      `${file === 'devices.allow' ? 'allow' : 'deny'} device ${text}`,
      provenance,
      [
        ...(index === 0
          ? [openat(AT_FDCWD, `${directory}/${file}`, O_WRONLY | O_CLOEXEC, 0, { result: fd })]
          : []),
        write(fd, text),
        ...(index === writes.length - 1 ? [close(fd)] : []),
      ],
    ),
  );
}

/** Also clears the exceptions that a new cgroup has from its parent. */
function reset({ allowAll, provenance }: DeviceList): Write {
  return { file: allowAll ? 'devices.allow' : 'devices.deny', text: 'a *:* rwm', provenance };
}

function exceptions({ allowAll, exceptions: found }: DeviceList): Write[] {
  return found.map((exception) => ({
    file: allowAll ? 'devices.deny' : 'devices.allow',
    text: deviceText(exception),
    provenance: exception.provenance,
  }));
}

type Exceptions = NonNullable<ReturnType<typeof parseDeviceList>>;

function withdrawn(list: DeviceList, kept: Exceptions): Write[] {
  return kept.flatMap((old): Write[] => {
    const access = without(old.access, find(list.exceptions, old)?.access);
    if (access === '') return [];
    return [{ file: 'devices.deny', text: deviceText({ ...old, access }), provenance: list.provenance }];
  });
}

function gained(list: DeviceList, kept: Exceptions): Write[] {
  return list.exceptions.flatMap((wanted): Write[] => {
    const access = without(wanted.access, find(kept, wanted)?.access);
    if (access === '') return [];
    return [
      { file: 'devices.allow', text: deviceText({ ...wanted, access }), provenance: wanted.provenance },
    ];
  });
}

function find<T extends Exceptions[number]>(
  list: readonly T[],
  { type, major, minor }: Exceptions[number],
): T | undefined {
  return list.find((one) => one.type === type && one.major === major && one.minor === minor);
}

function without(access: Bytes, taken: Bytes = ''): Bytes {
  return [...access].filter((letter) => !taken.includes(letter)).join('');
}
