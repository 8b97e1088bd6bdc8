// Which namespaces of a container are new, joined or the host's: docker's flags, `--namespaces` and `--pid-ns` etc.

import type { Bytes } from '../../linux/bytes.ts';
import type { LinuxNamespace, LinuxNamespaceType } from '../../spec/runtime-spec.ts';
import type { FrontendFacts } from './facts.ts';
import { comesLater, conflictingFlags, flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import type { Recorder, Sourced } from './recorder.ts';
import { sourced } from './recorder.ts';
import type { RunFlagName, RunFlags } from './run-flags.ts';
import { usernsMode } from './userns-mode.ts';

/** New, inherited, or joined by path. */
export type NamespaceMode = 'new' | 'host' | { readonly path: Bytes };

/** The mode of every namespace. */
export type NamespaceModes = Readonly<Record<LinuxNamespaceType, Sourced<NamespaceMode>>>;

/** In the order in which they stand in the specification. */
const TYPES: readonly LinuxNamespaceType[] = [
  'user',
  'mount',
  'pid',
  'network',
  'ipc',
  'uts',
  'cgroup',
  'time',
];

/** The names of `--namespaces`, those of /proc/PID/ns and those of the specification. */
const NAMES: ReadonlyMap<Bytes, LinuxNamespaceType> = new Map([
  ['mnt', 'mount'],
  ['net', 'network'],
  ...TYPES.map((type) => [type, type] as const),
]);

/** `--mount-ns` and the like. */
const OWN_FLAGS: Readonly<Record<LinuxNamespaceType, RunFlagName & `${string}-ns`>> = {
  user: 'user-ns',
  mount: 'mount-ns',
  pid: 'pid-ns',
  network: 'net-ns',
  ipc: 'ipc-ns',
  uts: 'uts-ns',
  cgroup: 'cgroup-ns',
  time: 'time-ns',
};

/** The modes that the flags ask for. Throws on a mode that docker does not know, and on two flags for one namespace. */
export function namespaceModes(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): NamespaceModes {
  const modes = defaultModes(flags, facts);
  if (flags.namespaces !== undefined) onlyNew(modes, flags.namespaces);
  for (const type of TYPES) {
    const docker = dockerMode(type, flags, facts);
    const own = ownMode(type, flags);
    if (docker?.source !== undefined && own?.source !== undefined)
      throw conflictingFlags(docker.source, own.source);
    modes[type] = own ?? docker ?? modes[type];
  }
  checkUser(modes, flags, facts, recorder);
  return modes;
}

/** The specification's list; `pointer` of its sources is /linux/namespaces. */
export function namespaceList(modes: NamespaceModes, recorder: Recorder): LinuxNamespace[] {
  const entries: Sourced<LinuxNamespace>[] = [];
  for (const type of TYPES) {
    const { value, source } = modes[type];
    if (value === 'host') continue;
    const namespace = value === 'new' ? { type } : { type, path: value.path };
    entries.push(source === undefined ? { value: namespace } : { value: namespace, source });
  }
  return recorder.array('/linux/namespaces', entries);
}

function defaultModes(
  flags: RunFlags,
  facts: FrontendFacts,
): Record<LinuxNamespaceType, Sourced<NamespaceMode>> {
  const fresh: Sourced<NamespaceMode> = { value: 'new' };
  const inherited: Sourced<NamespaceMode> = { value: 'host' };
  const mapped = flags.uidmap !== undefined || flags.gidmap !== undefined;
  const offset = flags.timensOffset?.[0];
  return {
    user: facts.rootless ? fresh : mapped ? mapSource(flags) : inherited,
    mount: fresh,
    pid: fresh,
    network: fresh,
    ipc: fresh,
    uts: fresh,
    cgroup: fresh,
    time: offset === undefined ? inherited : sourced('new', 'timens-offset', offset),
  };
}

function mapSource(flags: RunFlags): Sourced<NamespaceMode> {
  const uid = flags.uidmap?.[0];
  return uid === undefined ? sourced('new', 'gidmap', flags.gidmap?.[0]) : sourced('new', 'uidmap', uid);
}

function onlyNew(modes: Record<LinuxNamespaceType, Sourced<NamespaceMode>>, text: Bytes): void {
  const wanted = new Set<LinuxNamespaceType>();
  for (const name of text === 'none' ? [] : text === 'all' ? TYPES : text.split(',')) {
    const type = NAMES.get(name);
    if (type === undefined) {
      throw invalidArgument(
        'namespaces',
        text,
        `unknown namespace '${name}'; known are ${[...NAMES.keys()].join(', ')}`,
      );
    }
    wanted.add(type);
  }
  for (const type of TYPES) {
    const explicit = modes[type].source !== undefined;
    if (!explicit) modes[type] = sourced(wanted.has(type) ? 'new' : 'host', 'namespaces', text);
  }
}

function ownMode(type: LinuxNamespaceType, flags: RunFlags): Sourced<NamespaceMode> | undefined {
  const name = OWN_FLAGS[type];
  const values: Readonly<Record<LinuxNamespaceType, Bytes | undefined>> = {
    user: flags.userNs,
    mount: flags.mountNs,
    pid: flags.pidNs,
    network: flags.netNs,
    ipc: flags.ipcNs,
    uts: flags.utsNs,
    cgroup: flags.cgroupNs,
    time: flags.timeNs,
  };
  const text = values[type];
  if (text === undefined) return undefined;
  if (text === 'host' || text === 'new') return sourced(text, name, text);
  if (!text.startsWith('/')) throw invalidArgument(name, text, 'neither host, nor new, nor an absolute path');
  return sourced({ path: text }, name, text);
}

/** What docker's and podman's own flag for a namespace says. */
function dockerMode(
  type: LinuxNamespaceType,
  flags: RunFlags,
  facts: FrontendFacts,
): Sourced<NamespaceMode> | undefined {
  switch (type) {
    case 'pid':
      return simpleMode('pid', flags.pid, 'PID', ['private']);
    case 'ipc':
      return simpleMode('ipc', flags.ipc, 'IPC', ['private', 'none', 'shareable']);
    case 'uts':
      return simpleMode('uts', flags.uts, 'UTS', ['private']);
    case 'cgroup':
      return simpleMode('cgroupns', flags.cgroupns, 'CGROUP', ['private']);
    case 'user':
      return userMode(flags.userns, facts);
    case 'network':
      return networkMode(flags.network);
    default:
      return undefined;
  }
}

function simpleMode(
  name: 'pid' | 'ipc' | 'uts' | 'cgroupns' | 'userns',
  text: Bytes | undefined,
  what: string,
  fresh: readonly string[],
): Sourced<NamespaceMode> | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'host') return sourced('host', name, text);
  if (fresh.includes(text)) return sourced('new', name, text);
  if (text.startsWith('ns:/')) return sourced({ path: text.slice(3) }, name, text);
  if (text.startsWith('container:'))
    throw comesLater(flagSource(name, text), 'detached containers (issue 5)');
  throw flagRefused(name, text, `invalid ${what} mode`);
}

/** podman-run(1): root keeps its ids by having no user namespace, and has no id of its own to leave out. */
function userMode(text: Bytes | undefined, { rootless }: FrontendFacts): Sourced<NamespaceMode> | undefined {
  const wanted = usernsMode(text);
  if (text === undefined || wanted === undefined) return simpleMode('userns', text, 'USER', ['private']);
  if (rootless || wanted.mode === 'auto') return sourced('new', 'userns', text);
  if (wanted.mode === 'nomap') throw flagRefused('userns', text, 'nomap is only supported in rootless mode');
  if (wanted.size !== undefined)
    throw flagRefused('userns', text, 'cannot set max size for user namespace when not running rootless');
  return sourced('host', 'userns', text);
}

function networkMode(text: Bytes | undefined): Sourced<NamespaceMode> | undefined {
  if (text === undefined) return undefined;
  if (text === 'none') return sourced('new', 'network', text);
  if (text === 'host') return sourced('host', 'network', text);
  if (text.startsWith('ns:/')) return sourced({ path: text.slice(3) }, 'network', text);
  if (text === '') throw invalidArgument('network', text, 'no name set for network');
  throw comesLater(flagSource('network', text), 'networks (issue 6)');
}

/** user_namespaces(7): without privilege nothing but a user namespace can be created first. */
function checkUser(
  modes: Record<LinuxNamespaceType, Sourced<NamespaceMode>>,
  flags: RunFlags,
  facts: FrontendFacts,
  recorder: Recorder,
): void {
  if (!facts.rootless || modes.user.value !== 'host') return;
  const needing = TYPES.filter((type) => modes[type].value !== 'host');
  if (needing.length === 0) return;
  if (modes.user.source === undefined || modes.user.source === flagSource('namespaces', flags.namespaces)) {
    modes.user = { value: 'new' };
    recorder.warn(`without root a new ${needing[0]} namespace needs a new user namespace, which is added`);
    return;
  }
  throw conflictingFlags(modes.user.source, `a new ${needing[0]} namespace without root`);
}
