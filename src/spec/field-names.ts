// The names of all fields of a configuration: for those that are written in another case.
//
// JSON names are compared byte by byte (RFC 8259, 8.3), but runc's parser is Go's, which takes any case. A field that is not
// taken for what its author meant would be ignored as unknown: `NoNewPrivileges`, say.
import type { Bytes } from '../linux/bytes.ts';

const WORDS = `
access action additionalGids allow ambient annotations apparmorProfile architectures args blockIO
bounding burst capabilities cgroupsPath checkBeforeUpdate class classID closID consoleSize
containerID cpu cpus createContainer createRuntime cwd deadline defaultAction defaultErrnoRet
destination devices disableOOMKiller domain domainname effective enableMonitoring env errnoRet
execCPUAffinity fileMode final flags gid gidMappings hard hcaHandles hcaObjects height hooks hostID
hostname hugepageLimits idle index inheritable initial intelRdt ioPriority l3CacheSchema leafWeight
limit linux listenerMetadata listenerPath major maskedPaths memBwSchema memory memoryPolicy mems
minor mode mountLabel mounts name names namespaces nanosecs netDevices network nice noNewPrivileges
nodes ociVersion oomScoreAdj op options pageSize path period permitted personality pids policy
poststart poststop prestart priorities priority process quota rate rdma readonly readonlyPaths
realtimePeriod realtimeRuntime reservation resources rlimits root rootfsPropagation runtime
scheduler schemata seccomp secs selinuxLabel shares size soft source startContainer swap swappiness
syscalls sysctl terminal throttleReadBpsDevice throttleReadIOPSDevice throttleWriteBpsDevice
throttleWriteIOPSDevice timeOffsets timeout type uid uidMappings umask unified useHierarchy user
username value valueTwo weight weightDevice width
`;

// `pagesize` is podman's, and is read as such.
const NAMES: ReadonlySet<Bytes> = new Set([...WORDS.trim().split(/\s+/), 'pagesize']);

let byLowerCase: ReadonlyMap<Bytes, Bytes> | undefined;

export function isFieldName(name: Bytes): boolean {
  return NAMES.has(name);
}

/** The field that differs from a name in case alone. */
export function inAnotherCase(name: Bytes): Bytes | undefined {
  byLowerCase ??= new Map([...NAMES].map((known) => [known.toLowerCase(), known]));
  return byLowerCase.get(name.toLowerCase());
}
