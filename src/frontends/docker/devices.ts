// `--device`, `--device-cgroup-rule`, `--privileged`: device files and who may use them.

import type { Bytes } from '../../linux/bytes.ts';
import type { LinuxDevice, LinuxDeviceCgroup, Mount } from '../../spec/runtime-spec.ts';
import type { DeviceFact, FrontendFacts } from './facts.ts';
import { flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import { cleanPath } from './mount-paths.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import type { RequestedMount } from './volume-request.ts';

/** Parsed `--device`. */
export interface DeviceFlag {
  readonly hostPath: Bytes;
  readonly containerPath: Bytes;
  readonly access: Bytes;
}

/** The device fields of the specification, and binds where devices cannot be made. */
export interface CompiledDevices {
  readonly devices: readonly LinuxDevice[];
  readonly rules: readonly LinuxDeviceCgroup[];
  readonly binds: readonly RequestedMount[];
}

const ACCESS = /^(?!.*(.).*\1)[rwm]{1,3}$/;

/** Reads `/dev/x[:/dev/y][:rwm]`. Throws docker's messages. */
export function parseDevice(text: Bytes): DeviceFlag {
  const parts = text.split(':');
  const [hostPath, second, third] = parts;
  if (parts.length > 3 || hostPath === undefined || !hostPath.startsWith('/')) {
    throw invalidArgument('device', text, `invalid device specification: ${text}`);
  }
  const onlyAccess = second !== undefined && third === undefined && ACCESS.test(second);
  const containerPath = second === undefined || second === '' || onlyAccess ? hostPath : second;
  const access = onlyAccess ? second : (third ?? 'rwm');
  if (!ACCESS.test(access)) throw invalidArgument('device', text, `invalid device mode: ${access}`);
  if (!containerPath.startsWith('/')) {
    throw invalidArgument(
      'device',
      text,
      `invalid mount path: '${containerPath}' mount path must be absolute`,
    );
  }
  return { hostPath, containerPath: cleanPath(containerPath), access };
}

/** Everything about devices. An ordinary user cannot make device files (mknod(2)): theirs are binds, as podman's. */
export function compileDevices(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): CompiledDevices {
  const chosen = [
    ...(flags.device ?? []).flatMap((text) => devicesOf(text, facts)),
    ...(flags.privileged === true ? privilegedDevices(facts) : []),
  ];
  const unique = chosen.filter(
    (each, index) => chosen.findIndex((other) => other.path === each.path) === index,
  );
  const rules = compileRules(flags, unique, facts, recorder);
  if (facts.rootless) return { devices: [], rules: [], binds: unique.map(bindOf) };
  const devices = unique.map(({ path, fact, source }): Sourced<LinuxDevice> => {
    const { type, major, minor, mode, uid, gid } = fact;
    return { value: { path, type, major, minor, fileMode: mode, uid, gid }, source };
  });
  return { devices: recorder.array('/linux/devices', devices), rules, binds: [] };
}

interface ChosenDevice {
  readonly path: Bytes;
  readonly fact: DeviceFact;
  readonly access: Bytes;
  readonly source: string;
}

function devicesOf(text: Bytes, facts: FrontendFacts): ChosenDevice[] {
  const flag = parseDevice(text);
  const found = facts.devices.get(flag.hostPath) ?? [];
  if (found.length === 0) {
    throw flagRefused(
      'device',
      text,
      `error gathering device information while adding custom device "${flag.hostPath}": not a device node`,
    );
  }
  return found.map((fact) => ({
    // Below a directory each device keeps its name.
    path:
      fact.path === flag.hostPath || !fact.path.startsWith(`${flag.hostPath}/`)
        ? flag.containerPath
        : cleanPath(`${flag.containerPath}/${fact.path.slice(flag.hostPath.length)}`),
    fact,
    access: flag.access,
    source: flagSource('device', text),
  }));
}

/** Those that the runtime makes anew in every container, or that belong to another one's terminal. */
const NEVER_SHARED =
  /^\/dev\/(?:pts|shm|mqueue|fd|\.lxc|\.lxd-mounts|\.udev)(?:\/|$)|^\/dev\/(?:console|ptmx|tty|stdin|stdout|stderr|core|null|zero|full|random|urandom)$/;

function privilegedDevices(facts: FrontendFacts): ChosenDevice[] {
  return (facts.devices.get('/dev') ?? [])
    .filter(({ path }) => !NEVER_SHARED.test(path))
    .map((fact) => ({ path: fact.path, fact, access: 'rwm', source: flagSource('privileged') }));
}

function bindOf({ path, fact, access, source }: ChosenDevice): RequestedMount {
  const readonly = access.includes('w') ? [] : ['ro'];
  const mount: Mount = {
    destination: path,
    type: 'bind',
    source: fact.path,
    options: ['bind', 'nosuid', 'noexec', ...readonly, 'rprivate'],
  };
  return { mount, source, actions: [] };
}

/** All is denied first; the runtime itself allows the devices that every container has (config-linux.md). */
function compileRules(
  flags: RunFlags,
  devices: readonly ChosenDevice[],
  facts: FrontendFacts,
  recorder: Recorder,
): LinuxDeviceCgroup[] {
  const texts = flags.deviceCgroupRule ?? [];
  const [first] = texts;
  if (facts.rootless) {
    if (first !== undefined) throw flagRefused('device-cgroup-rule', first, 'device rules need root');
    return [];
  }
  const rules: Sourced<LinuxDeviceCgroup>[] = [
    flags.privileged === true
      ? { value: { allow: true, access: 'rwm' }, source: flagSource('privileged') }
      : { value: { allow: false, access: 'rwm' } },
  ];
  if (flags.privileged !== true) {
    for (const { fact, access, source } of devices) {
      rules.push({
        value: { allow: true, type: fact.type, major: fact.major, minor: fact.minor, access },
        source,
      });
    }
  }
  for (const text of texts)
    rules.push({ value: parseRule(text), source: flagSource('device-cgroup-rule', text) });
  return recorder.array('/linux/resources/devices', rules);
}

/** Reads `c 1:3 rwm`; `*` is any number. */
export function parseRule(text: Bytes): LinuxDeviceCgroup {
  const match = /^([acb]) ([0-9]{1,7}|\*):([0-9]{1,7}|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) {
    throw invalidArgument('device-cgroup-rule', text, `invalid device cgroup format '${text}'`);
  }
  const [, letter, major, minor, access] = match;
  const type = letter === 'a' || letter === 'b' ? letter : 'c';
  const rule: { -readonly [K in keyof LinuxDeviceCgroup]: LinuxDeviceCgroup[K] } = {
    allow: true,
    type,
    access,
  };
  if (major !== '*') rule.major = Number(major);
  if (minor !== '*') rule.minor = Number(minor);
  return rule;
}
