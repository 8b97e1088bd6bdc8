// The rules: from what was seen on this host to what it means for containers. Pure.
import type { CapabilityName } from '../../linux/capabilities.ts';
import { cgroupFindings } from './cgroups.ts';
import type { DoctorFacts } from './facts.ts';
import { type Finding, finding } from './finding.ts';
import { userNamespaceFindings } from './user-namespaces.ts';

/** What newer kernels give, by the version that it came with (man pages, and docs of caisson). */
const LEVELS: readonly (readonly [number, number, string])[] = [
  [6, 3, 'idmapped mounts of tmpfs'],
  [6, 5, 'overlays of many layers without path tricks'],
  [6, 15, 'masked paths that share one mount'],
];

const FLOOR = [5, 15] as const;

function atLeast(
  [major, minor]: readonly [number, number],
  [otherMajor, otherMinor]: readonly [number, number],
): boolean {
  return major > otherMajor || (major === otherMajor && minor >= otherMinor);
}

function kernel({ release, arch }: DoctorFacts): Finding {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const found = `Linux ${release} (${arch})`;
  if (!atLeast([major, minor], FLOOR)) {
    return finding('kernel', 'kernel', 'missing', found, `caisson needs Linux ${FLOOR.join('.')} or newer`);
  }
  const later = LEVELS.filter(
    ([levelMajor, levelMinor]) => !atLeast([major, minor], [levelMajor, levelMinor]),
  );
  if (later.length === 0) return finding('kernel', 'kernel', 'ok', found);
  const list = later
    .map(([levelMajor, levelMinor, what]) => `${what} (${levelMajor}.${levelMinor})`)
    .join(', ');
  return finding('kernel', 'kernel', 'ok', found, `newer kernels add: ${list}`);
}

function launcher({ trials, sysctls }: DoctorFacts): Finding {
  const { launcher: failure } = trials;
  if (failure === undefined) return finding('launcher', 'launcher', 'ok', 'runs from a sealed memory file');
  const noexec = sysctls.get('vm/memfd_noexec') === '2';
  const advice = noexec
    ? 'vm.memfd_noexec is 2, which forbids programs in memory files: sysctl -w vm.memfd_noexec=1'
    : 'a security module or a seccomp filter forbids memfd_create or execveat: see the kernel log';
  return finding('launcher', 'launcher', 'missing', failure.message, advice);
}

/** What root is expected to have, and what cannot be done without it. */
const POWERS: readonly (readonly [CapabilityName, string])[] = [
  ['CAP_SYS_RESOURCE', 'hard limits cannot be raised, and oom scores not lowered'],
  ['CAP_NET_ADMIN', 'networks cannot be set up'],
  ['CAP_MKNOD', 'device nodes cannot be made'],
  ['CAP_DAC_OVERRIDE', "files of other users cannot be read or written in the container's root"],
  ['CAP_SETUID', 'containers cannot change to another user'],
  ['CAP_SETGID', 'containers cannot change to another group'],
  ['CAP_SETPCAP', 'capabilities cannot be dropped from the bounding set'],
  ['CAP_KILL', 'processes of other users cannot be ended'],
];

function privilege(facts: DoctorFacts): Finding {
  const { uid, privileged, initialUserNamespace, capabilities } = facts;
  const subject = 'privilege';
  if (!privileged) {
    const found = uid === 0 ? 'root without CAP_SYS_ADMIN' : `user ${facts.subordinate.user}`;
    return finding('privilege', subject, 'ok', `${found}: containers are rootless, in user namespaces`);
  }
  const lacks = POWERS.filter(([name]) => !capabilities.includes(name)).map(
    ([name, effect]) => `without ${name} ${effect}`,
  );
  const found = initialUserNamespace ? 'root' : 'root of a user namespace';
  if (!initialUserNamespace) lacks.push('devices cannot be ruled in a user namespace');
  return finding('privilege', subject, lacks.length === 0 ? 'ok' : 'limited', found, ...lacks);
}

function namespaces({ trials, privileged }: DoctorFacts): Finding {
  // What stops user namespaces stops all others of an ordinary user, and is told there.
  const failures = trials.userNamespace !== undefined && !privileged ? new Map() : trials.namespaces;
  if (failures.size === 0) {
    return finding('namespaces', 'namespaces', 'ok', 'mount, pid, network, ipc, uts, cgroup and time');
  }
  const kinds = [...failures.keys()];
  const advice = kinds.map(
    (kind) => `${failures.get(kind)?.message}: use --${FLAGS[kind] ?? kind} host, or another kernel`,
  );
  const bad = kinds.some((kind) => kind !== 'time');
  return finding(
    'namespaces',
    'namespaces',
    bad ? 'missing' : 'limited',
    `no ${kinds.join(', ')} namespace`,
    ...advice,
  );
}

/** The flags that leave a namespace out. */
const FLAGS: Readonly<Record<string, string>> = { mount: 'mount-ns', cgroup: 'cgroupns' };

function overlay({ trials, privileged }: DoctorFacts): Finding {
  const failure = trials.overlay;
  if (!privileged || failure === undefined)
    return finding('overlay', 'overlay', 'ok', privileged ? 'works' : 'see user namespaces');
  return finding(
    'overlay',
    'overlay',
    'limited',
    failure.message,
    'the image host needs it: modprobe overlay; --rootfs DIR works without',
  );
}

function seccomp({ seccompActions, filtered }: DoctorFacts): Finding {
  if (seccompActions === undefined) {
    return finding(
      'seccomp',
      'seccomp',
      'missing',
      'no filters',
      'the kernel needs CONFIG_SECCOMP_FILTER; or use --security-opt seccomp=unconfined',
    );
  }
  const found = `filters can ${seccompActions.split(' ').join(', ')}`;
  if (!filtered) return finding('seccomp', 'seccomp', 'ok', found);
  return finding(
    'seccomp',
    'seccomp',
    'note',
    found,
    'a filter lies upon caisson itself: it holds for containers, too',
  );
}

function securityModules({ lsms }: DoctorFacts): Finding {
  const useful = lsms.filter((name) => name === 'apparmor' || name === 'selinux');
  const found = lsms.length === 0 ? 'none' : lsms.join(', ');
  return finding(
    'security-modules',
    'security modules',
    'ok',
    useful.length > 0 ? found : `${found}; labels cannot be given`,
  );
}

function foreignPrograms({ handlers, arch }: DoctorFacts): Finding {
  const emulators = (handlers ?? []).filter((name) => name.startsWith('qemu-'));
  const found = emulators.length === 0 ? `only those of ${arch}` : `emulated: ${emulators.join(', ')}`;
  return finding('foreign-programs', 'foreign programs', 'ok', found);
}

function stateRoot({ stateRoot: { path, problem } }: DoctorFacts): Finding {
  if (problem === undefined) return finding('state', 'state', 'ok', `${path} can be written`);
  return finding('state', 'state', 'missing', problem, 'choose another directory with --runtime-root');
}

/** All findings in the order of the report. */
export function findings(facts: DoctorFacts): Finding[] {
  return [
    kernel(facts),
    launcher(facts),
    privilege(facts),
    namespaces(facts),
    ...userNamespaceFindings(facts),
    ...(facts.privileged ? [overlay(facts)] : []),
    seccomp(facts),
    ...cgroupFindings(facts),
    securityModules(facts),
    foreignPrograms(facts),
    stateRoot(facts),
  ];
}
