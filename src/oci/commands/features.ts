// `features`: what this runtime can do, as JSON (runtime-spec features.md, features-linux.md).

import { CAPABILITIES } from '../../linux/capabilities.ts';
import { mountOptionNames } from '../../spec/mount-options.ts';
import { OCI_VERSION } from '../../spec/validate.ts';
import type { OciCommand } from '../command.ts';
import { goJson } from '../go-json.ts';
import { RUNC_VERSION, VERSION } from '../version.ts';

export const command: OciCommand = {
  name: 'features',
  summary: 'Show what this runtime can do',
  usage: '',
  description: 'The result is JSON in the shape of features.md of the OCI runtime specification.',
  flags: [],
  arguments: [0, 0],
  run: ({ port, out }) => {
    out(`${goJson(features(port.arch), '    ')}\n`);
    return 0;
  },
};

const SECCOMP_ARCHITECTURES = {
  x86_64: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_X86_64'],
  aarch64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** The features structure. */
export function features(arch: 'x86_64' | 'aarch64'): object {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: OCI_VERSION,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'],
      capabilities: Object.keys(CAPABILITIES),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      seccomp: seccompFeatures(arch),
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: [
          ...['MPOL_BIND', 'MPOL_DEFAULT', 'MPOL_INTERLEAVE', 'MPOL_LOCAL', 'MPOL_PREFERRED'],
          ...['MPOL_PREFERRED_MANY', 'MPOL_WEIGHTED_INTERLEAVE'],
        ],
        flags: ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'],
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: {
      'io.caisson.version': VERSION,
      'org.opencontainers.runc.checkpoint.enabled': 'false',
      'org.opencontainers.runc.version': RUNC_VERSION,
    },
  };
}

function seccompFeatures(arch: 'x86_64' | 'aarch64'): object {
  const actions = ['ALLOW', 'ERRNO', 'KILL', 'KILL_PROCESS', 'KILL_THREAD', 'LOG', 'NOTIFY', 'TRACE', 'TRAP'];
  const operators = ['EQ', 'GE', 'GT', 'LE', 'LT', 'MASKED_EQ', 'NE'];
  const flags = ['LOG', 'SPEC_ALLOW', 'TSYNC', 'WAIT_KILLABLE_RECV'].map(
    (name) => `SECCOMP_FILTER_FLAG_${name}`,
  );
  return {
    enabled: true,
    actions: actions.map((name) => `SCMP_ACT_${name}`),
    operators: operators.map((name) => `SCMP_CMP_${name}`),
    archs: SECCOMP_ARCHITECTURES[arch],
    knownFlags: flags,
    supportedFlags: flags,
  };
}
