// `caisson run`'s flags, an image's configuration and facts about the host -> an OCI runtime configuration.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { Linux, Process, Spec } from '../../spec/runtime-spec.ts';
import { capabilitySet, capabilitySets } from './capabilities.ts';
import { cgroupsPath } from './cgroup-path.ts';
import { compileArgs, compileCwd } from './command.ts';
import { compileDevices } from './devices.ts';
import { compileEnvironment } from './environment.ts';
import type { FrontendFacts, IdMaps, ImageConfig } from './facts.ts';
import { compileFilesystem, type Filesystem } from './filesystem.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import { type HostNames, hostNames } from './host-name.ts';
import { idMaps } from './id-maps.ts';
import { compileLabels, type Labels } from './labels.ts';
import { compileMasks } from './masks.ts';
import { refuseDriver } from './mount-flag.ts';
import { type NamespaceModes, namespaceList, namespaceModes } from './namespaces.ts';
import type { GeneratedFile } from './network-files.ts';
import { smallIntegerFlag } from './numbers.ts';
import { Recorder } from './recorder.ts';
import { compileResources } from './resources.ts';
import { flagTexts, type RunFlags } from './run-flags.ts';
import {
  parseAffinity,
  parseIoPriority,
  parseMemoryPolicy,
  parsePersonality,
  parseScheduler,
  parseTimeOffsets,
} from './schedule.ts';
import { compileSeccomp } from './seccomp.ts';
import { warnOfSecrets } from './secrets.ts';
import { type SecurityOptions, securityOptions } from './security-options.ts';
import { compileSettings, type RunSettings } from './settings.ts';
import { compileSysctls } from './sysctls.ts';
import { compileUlimits } from './ulimits.ts';
import { compileUser } from './user.ts';

/** The version of the runtime specification that the result is written in. */
const OCI_VERSION = '1.3.0';

/** What a `run` comes to. */
export interface CompiledRun {
  readonly spec: Spec;
  /** JSON pointer into `spec` -> the flag that caused it, `--volume /x:/y`; secrets are not in it. */
  readonly sources: ReadonlyMap<Pointer, string>;
  readonly warnings: readonly string[];
  /** To be written before the start; mounts refer to them. */
  readonly files: readonly GeneratedFile[];
  /** Mounts that show a directory of their source only: pointer -> path below it, resolved inside. */
  readonly subpaths: ReadonlyMap<Pointer, Bytes>;
  readonly settings: RunSettings;
}

/** What the parts share while they are compiled. */
interface Parts {
  readonly flags: RunFlags;
  readonly image: ImageConfig;
  readonly facts: FrontendFacts;
  readonly recorder: Recorder;
  readonly security: SecurityOptions;
  readonly modes: NamespaceModes;
  readonly maps: IdMaps | undefined;
  readonly names: HostNames;
  readonly bounding: readonly Bytes[];
}

/**
 * Compiles `caisson run FLAGS IMAGE COMMAND`. Pure.
 *
 * `flags` hold values as typed, `command` the arguments after the image. Semantics, defaults and messages are
 * docker's, and podman's where those are safer: fewer capabilities, no_new_privs, own cgroup namespace, pids limit.
 * Throws CaissonError `EUSAGE` (a flag that is wrong or cannot hold) or `ELATER` (comes with a later issue).
 */
export function compileRun(
  flags: RunFlags,
  command: readonly Bytes[],
  image: ImageConfig,
  facts: FrontendFacts,
): CompiledRun {
  refuseVolumeDriver(flags);
  const recorder = new Recorder();
  warnOfSecrets(flags, recorder);
  refuseNul(flags, [...command, ...(image.Entrypoint ?? []), ...(image.Cmd ?? []), image.WorkingDir ?? '']);
  const modes = namespaceModes(flags, facts, recorder);
  const maps = idMaps(flags, modes, facts, recorder);
  const names = hostNames(flags, modes, facts, recorder);
  const security = securityOptions(flags);
  const set = capabilitySet(flags, facts);
  const parts: Parts = { flags, image, facts, recorder, security, modes, maps, names, bounding: set.all };
  const labels = compileLabels(security, flags.privileged === true, facts, recorder);
  const devices = compileDevices(flags, facts, recorder);
  const filesystem = compileFilesystem({ ...parts, binds: devices.binds });
  const { user, home } = compileUser(flags, image, maps, facts, recorder);
  const process: Process = {
    ...(flags.tty === true ? { terminal: true } : {}),
    user,
    args: compileArgs(flags, command, image, recorder),
    env: compileEnvironment({ flags, image, facts, hostname: names.name, home }, recorder),
    cwd: compileCwd(flags, image, recorder),
    capabilities: capabilitySets(set, user.uid, flags, recorder),
    noNewPrivileges: noNewPrivileges(parts),
    ...optional('rlimits', compileUlimits(flags, recorder)),
    ...labelsOf(labels),
    ...kernelSettings(parts),
  };
  const linux = compileLinux(parts, filesystem, devices, labels);
  const annotations = compileAnnotations(flags, recorder);
  const spec: Spec = {
    ociVersion: OCI_VERSION,
    process,
    root: filesystem.root,
    ...(names.hostname === undefined ? {} : { hostname: names.hostname }),
    ...(names.domainname === undefined ? {} : { domainname: names.domainname }),
    mounts: filesystem.mounts,
    ...(annotations === undefined ? {} : { annotations }),
    linux,
  };
  return {
    spec,
    sources: recorder.sources,
    warnings: recorder.warnings,
    files: filesystem.files,
    subpaths: filesystem.subpaths,
    settings: compileSettings(flags, image, facts, filesystem.actions),
  };
}

function refuseVolumeDriver({ volumeDriver }: RunFlags): void {
  try {
    refuseDriver(volumeDriver);
  } catch (error) {
    if (error instanceof RangeError) throw flagRefused('volume-driver', volumeDriver, error.message);
    throw error;
  }
}

/** No path, argument or name holds a NUL byte; a system call would end it there. */
function refuseNul(flags: RunFlags, texts: readonly Bytes[]): void {
  for (const { name, value } of flagTexts(flags)) {
    if (value.includes('\0')) throw invalidArgument(name, value, 'a NUL byte');
  }
  if (texts.some((text) => text.includes('\0'))) {
    throw new CaissonError('a NUL byte in the command or in what the image says of it', { code: 'EUSAGE' });
  }
}

function compileLinux(
  { flags, facts, recorder, security, modes, maps, bounding }: Parts,
  filesystem: Filesystem,
  devices: ReturnType<typeof compileDevices>,
  labels: Labels,
): Linux {
  const privileged = flags.privileged === true;
  const linux: { -readonly [K in keyof Linux]: Linux[K] } = { namespaces: namespaceList(modes, recorder) };
  if (maps !== undefined) {
    linux.uidMappings = maps.uidMappings;
    linux.gidMappings = maps.gidMappings;
  }
  if (devices.devices.length > 0) linux.devices = devices.devices;
  const path = cgroupsPath(flags, facts, recorder);
  if (path !== undefined) linux.cgroupsPath = path;
  linux.resources = compileResources(flags, devices.rules, facts, recorder);
  const sysctl = compileSysctls(flags, modes, recorder);
  if (sysctl !== undefined) linux.sysctl = sysctl;
  const seccomp = compileSeccomp(security, privileged, bounding, facts, recorder);
  if (seccomp !== undefined) linux.seccomp = seccomp;
  if (modes.mount.value === 'new') {
    Object.assign(linux, compileMasks(security, privileged, facts.cpuCount, recorder));
    linux.rootfsPropagation = filesystem.propagation;
    if (labels.mountLabel !== undefined) linux.mountLabel = labels.mountLabel;
  }
  if (flags.personality !== undefined) {
    linux.personality = parsePersonality(flags.personality);
    recorder.note('/linux/personality', 'personality', flags.personality);
  }
  if (flags.memoryPolicy !== undefined) {
    linux.memoryPolicy = parseMemoryPolicy(flags.memoryPolicy);
    recorder.note('/linux/memoryPolicy', 'memory-policy', flags.memoryPolicy);
  }
  if (flags.timensOffset !== undefined && modes.time.value === 'new') {
    linux.timeOffsets = parseTimeOffsets(flags.timensOffset);
    recorder.note('/linux/timeOffsets', 'timens-offset', flags.timensOffset.join(','));
  } else if (flags.timensOffset?.[0] !== undefined) {
    throw invalidArgument('timens-offset', flags.timensOffset[0], 'needs a new time namespace');
  }
  return linux;
}

/** Scheduling and the OOM killer's preference. */
function kernelSettings({ flags, recorder }: Parts): Partial<Process> {
  const settings: { -readonly [K in keyof Process]?: Process[K] } = {};
  if (flags.scheduler !== undefined) {
    settings.scheduler = parseScheduler(flags.scheduler);
    recorder.note('/process/scheduler', 'scheduler', flags.scheduler);
  }
  if (flags.ioprio !== undefined) {
    settings.ioPriority = parseIoPriority(flags.ioprio);
    recorder.note('/process/ioPriority', 'ioprio', flags.ioprio);
  }
  if (flags.cpuAffinity !== undefined) {
    settings.execCPUAffinity = parseAffinity(flags.cpuAffinity);
    recorder.note('/process/execCPUAffinity', 'cpu-affinity', flags.cpuAffinity);
  }
  const { oomScoreAdj } = flags;
  if (oomScoreAdj !== undefined) {
    const reason = `invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`;
    settings.oomScoreAdj = smallIntegerFlag('oom-score-adj', oomScoreAdj, -1000, 1000, reason);
    recorder.note('/process/oomScoreAdj', 'oom-score-adj', oomScoreAdj);
  }
  return settings;
}

/** On unless told, because most escapes need a set-user-id program; `--privileged` takes it back. */
function noNewPrivileges({ flags, security, recorder }: Parts): boolean {
  const asked = security.noNewPrivileges;
  if (asked?.source !== undefined) recorder.noteSource('/process/noNewPrivileges', asked.source);
  if (asked === undefined && flags.privileged === true)
    recorder.note('/process/noNewPrivileges', 'privileged');
  return asked?.value ?? flags.privileged !== true;
}

function labelsOf({ apparmorProfile, selinuxLabel }: Labels): Partial<Process> {
  return {
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
  };
}

function compileAnnotations(flags: RunFlags, recorder: Recorder): Readonly<Record<Bytes, Bytes>> | undefined {
  if (flags.annotation === undefined) return undefined;
  const entries = flags.annotation.map((text): [Bytes, Bytes] => {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    if (key === '' || text.includes('\0'))
      throw invalidArgument('annotation', text, 'the form is NAME=VALUE');
    return [key, equals < 0 ? '' : text.slice(equals + 1)];
  });
  recorder.note('/annotations', 'annotation', flags.annotation.join(','));
  return Object.fromEntries(entries);
}

function optional<Key extends string, T>(
  key: Key,
  items: readonly T[],
): { readonly [K in Key]?: readonly T[] } {
  return items.length === 0 ? {} : ({ [key]: items } as { readonly [K in Key]: readonly T[] });
}
