// Checks of the `linux` object (config-linux.md) but for what has a file of its own.

import type { Bytes } from '../linux/bytes.ts';
import { parseCpuList } from '../linux/cpulist.ts';
import { type Check, type Fields, quote } from './check.ts';
import { checkDevice, checkNetDevices } from './device-check.ts';
import type {
  LinuxPersonalityDomain,
  MemoryPolicyFlagType,
  MemoryPolicyModeType,
  RootfsPropagation,
} from './linux-spec.ts';
import { checkNamespaceSettings, type Namespaces } from './namespace-check.ts';
import { checkResources } from './resource-check.ts';
import { checkSeccomp } from './seccomp-check.ts';
import { checkSysctl } from './sysctl.ts';
import { absolutePathRule, lineRule, numberListRule, pathRule } from './text-rules.ts';

const PROPAGATIONS: readonly RootfsPropagation[] = [
  'shared',
  'slave',
  'private',
  'unbindable',
  'rshared',
  'rslave',
  'rprivate',
  'runbindable',
];
const MEMORY_MODES: readonly MemoryPolicyModeType[] = [
  'MPOL_DEFAULT',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED',
  'MPOL_PREFERRED_MANY',
  'MPOL_LOCAL',
];
const MEMORY_FLAGS: readonly MemoryPolicyFlagType[] = [
  'MPOL_F_NUMA_BALANCING',
  'MPOL_F_RELATIVE_NODES',
  'MPOL_F_STATIC_NODES',
];
const DOMAINS: readonly LinuxPersonalityDomain[] = ['LINUX', 'LINUX32'];

/** Checks `linux`; its namespaces were checked before, because other parts need them. */
export function checkLinux(linux: Fields, namespaces: Namespaces, c: Check): void {
  checkNamespaceSettings(linux, namespaces, c);
  c.entries(linux, 'sysctl', (map, key) => checkSysctl(map, key, namespaces.own, c));
  c.object(linux, 'resources', checkResources);
  c.textOrNothing(linux, 'cgroupsPath', cgroupsPathRule);
  c.objects(linux, 'devices', checkDevice);
  checkNetDevices(linux, namespaces, c);
  checkSeccomp(linux, c);
  if (linux.rootfsPropagation === '') delete linux.rootfsPropagation;
  c.oneOf(linux, 'rootfsPropagation', PROPAGATIONS, 'a mount propagation');
  for (const key of ['maskedPaths', 'readonlyPaths']) {
    const paths = c.texts(linux, key, absolutePathRule);
    // Without one they would be mounted over the host's own files.
    if (paths !== undefined && paths.length > 0 && !namespaces.own.has('mount')) {
      c.fail(key, 'needs a mount namespace in /linux/namespaces');
    }
  }
  c.textOrNothing(linux, 'mountLabel', lineRule);
  c.object(linux, 'intelRdt', checkIntelRdt);
  c.object(linux, 'memoryPolicy', checkMemoryPolicy);
  c.object(linux, 'personality', checkPersonality);
}

/** A path below the cgroup mounts, or systemd's `slice:prefix:name`; never out of where it begins. */
function cgroupsPathRule(path: Bytes): string | undefined {
  if (path.split('/').includes('..')) return `${quote(path)} contains ".."`;
  return lineRule(path) ?? pathRule(path);
}

function checkIntelRdt(rdt: Fields, c: Check): void {
  c.textOrNothing(rdt, 'closID', (id) => {
    const outside = id === '.' || id === '..' || (id !== '/' && id.includes('/'));
    return outside ? `${quote(id)} is not the name of a directory` : lineRule(id);
  });
  c.texts(rdt, 'schemata', lineRule);
  c.textOrNothing(rdt, 'l3CacheSchema', lineRule);
  c.textOrNothing(rdt, 'memBwSchema', (schema) =>
    schema.startsWith('MB:') ? lineRule(schema) : `${quote(schema)} does not begin with "MB:"`,
  );
  c.boolean(rdt, 'enableMonitoring');
}

/** Nodes end up in a bit mask, so that a range cannot be as large as it likes. */
function nodesRule(text: Bytes): string | undefined {
  try {
    parseCpuList(text);
    return numberListRule(text);
  } catch (error) {
    return (error as RangeError).message;
  }
}

/** set_mempolicy(2): which modes take nodes, and which flags exclude each other. */
function checkMemoryPolicy(policy: Fields, c: Check): void {
  c.require(policy, 'mode');
  const mode = c.oneOf(policy, 'mode', MEMORY_MODES, 'a memory policy');
  const nodes = c.textOrNothing(policy, 'nodes', nodesRule);
  const flags = c.someOf(policy, 'flags', MEMORY_FLAGS, 'a flag of a memory policy') ?? [];
  if (flags.includes('MPOL_F_RELATIVE_NODES') && flags.includes('MPOL_F_STATIC_NODES')) {
    c.fail('flags', 'MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other');
  }
  if (mode === undefined || mode === 'MPOL_PREFERRED') return;
  const withoutNodes = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL';
  if (withoutNodes && nodes !== undefined) {
    // In runc's words.
    const count = parseCpuList(nodes).length;
    c.fail('nodes', `${mode}: a memory policy of this mode requires 0 nodes but got ${count}`);
  }
  if (!withoutNodes && policy.nodes === undefined) c.fail('nodes', `is required for ${mode}`);
}

function checkPersonality(personality: Fields, c: Check): void {
  c.require(personality, 'domain');
  c.oneOf(personality, 'domain', DOMAINS, 'an execution domain');
  const flags = c.texts(personality, 'flags');
  if (flags !== undefined && flags.length > 0) c.warn('flags', 'the specification has no flags yet: ignored');
}
