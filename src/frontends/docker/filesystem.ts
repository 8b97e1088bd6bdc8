// Root and mounts of a container.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { Mount, Root, RootfsPropagation } from '../../spec/runtime-spec.ts';
import type { HostAction } from './bind-options.ts';
import { defaultMounts, SHM_SIZE } from './default-mounts.ts';
import type { FrontendFacts, IdMaps, ImageConfig } from './facts.ts';
import { conflictingFlags, flagRefused, flagSource } from './flag-error.ts';
import type { HostNames } from './host-name.ts';
import { imageVolumes } from './image-config.ts';
import { absoluteHostPath } from './mount-paths.ts';
import { assembleMounts, refuseMounts, requestedMounts } from './mounts.ts';
import type { NamespaceModes } from './namespaces.ts';
import { type GeneratedFile, networkFiles } from './network-files.ts';
import { sizeFlag } from './numbers.ts';
import { type Recorder, type Sourced, sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import { secretFiles } from './secrets.ts';
import type { SecurityOptions } from './security-options.ts';
import { placeVolume, type RequestedMount } from './volume-request.ts';
import { mountsFromOthers } from './volumes-from.ts';

/** What root and mounts depend on. */
export interface FilesystemInput {
  readonly flags: RunFlags;
  readonly image: ImageConfig;
  readonly facts: FrontendFacts;
  readonly recorder: Recorder;
  readonly security: SecurityOptions;
  readonly modes: NamespaceModes;
  readonly maps: IdMaps | undefined;
  readonly names: HostNames;
  /** Binds of devices that cannot be made. */
  readonly binds: readonly RequestedMount[];
}

/** Root, mounts, and what the host side has to do for them. */
export interface Filesystem {
  readonly root: Root;
  readonly mounts: readonly Mount[];
  readonly propagation: RootfsPropagation;
  readonly files: readonly GeneratedFile[];
  readonly actions: readonly HostAction[];
  /** See CompiledMounts. */
  readonly subpaths: ReadonlyMap<Pointer, Bytes>;
}

/** Which root the flags ask the engine to prepare. */
export type RootChoice =
  | { readonly kind: 'inherited' }
  | { readonly kind: 'image' }
  | { readonly kind: 'directory'; readonly path: Bytes }
  | { readonly kind: 'archive'; readonly path: Bytes };

/**
 * The root that `flags` ask for, before anything is prepared: an image unless `--rootfs` or `--rootfs-tar` is given;
 * without a mount namespace of its own the caller's root is kept.
 */
export function rootChoice(flags: RunFlags, modes: NamespaceModes, cwd: Bytes): RootChoice {
  if (flags.rootfs !== undefined) return { kind: 'directory', path: absoluteHostPath(flags.rootfs, cwd) };
  if (flags.rootfsTar !== undefined) return { kind: 'archive', path: absoluteHostPath(flags.rootfsTar, cwd) };
  return modes.mount.value === 'new' ? { kind: 'image' } : { kind: 'inherited' };
}

/** The file system of the container; none of its own without a mount namespace of its own. */
export function compileFilesystem(input: FilesystemInput): Filesystem {
  const { flags, facts, recorder, modes } = input;
  const asked = allRequested(flags, input.image, facts, input.binds);
  if (modes.mount.value !== 'new') return inherited(input, asked);
  const requested = asked.map((each) =>
    placeVolume(each, facts.volumes, input.maps !== undefined && !facts.rootless),
  );
  if (input.maps === undefined) refuseIdMapped(requested);
  const network = networkFiles(flags, modes, input.names.name, facts);
  const secrets = secretFiles(flags, facts);
  const defaults = defaultMounts({
    modes,
    maps: input.maps,
    privileged: flags.privileged === true,
    writableCgroups: input.security.writableCgroups?.value === true,
    shmSize: shmSize(input),
  });
  const { mounts, actions, subpaths } = assembleMounts(
    defaults,
    network.mounts,
    requested,
    secrets.mounts,
    recorder,
  );
  if (flags.readOnly === true) recorder.note('/root/readonly', 'read-only');
  if (flags.rootfs !== undefined) recorder.note('/root/path', 'rootfs', flags.rootfs);
  if (flags.rootfsTar !== undefined) recorder.note('/root/path', 'rootfs-tar', flags.rootfsTar);
  return {
    root: flags.readOnly === true ? { path: facts.rootfs, readonly: true } : { path: facts.rootfs },
    mounts,
    propagation: rootPropagation(mounts),
    files: [...network.files, ...secrets.files],
    actions,
    subpaths,
  };
}

/** What flags, other containers and the image ask for; of two at one place the flag's, then the other container's. */
function allRequested(
  flags: RunFlags,
  image: ImageConfig,
  facts: Pick<FrontendFacts, 'cwd' | 'containers'>,
  binds: readonly RequestedMount[] = [],
): RequestedMount[] {
  const asked = [...requestedMounts(flags, facts.cwd), ...binds];
  const taken = new Set(asked.map(({ mount }) => mount.destination));
  const others = mountsFromOthers(flags, facts.containers).filter(
    ({ mount }) => !taken.has(mount.destination),
  );
  for (const { mount } of others) taken.add(mount.destination);
  return [...asked, ...others, ...imageVolumes(image, taken)];
}

/** The volumes among them, for the engine to find or make before the run is compiled. Throws as compileRun. */
export function requestedVolumes(
  flags: RunFlags,
  image: ImageConfig,
  facts: Pick<FrontendFacts, 'cwd' | 'containers'>,
): RequestedMount[] {
  return allRequested(flags, image, facts).filter(({ volume }) => volume !== undefined);
}

/** mount_setattr(2): the mapping of an id-mapped mount is that of a user namespace. */
function refuseIdMapped(requested: readonly RequestedMount[]): void {
  const found = requested.find(({ mount }) =>
    mount.options?.some((word) => word === 'idmap' || word === 'ridmap'),
  );
  if (found === undefined) return;
  throw new CaissonError(
    `${found.source}: idmap needs a user namespace with mappings (--userns private, --uidmap)`,
    { code: 'EUSAGE', sources: [found.source] },
  );
}

function inherited(
  { flags, facts, modes }: FilesystemInput,
  requested: readonly RequestedMount[],
): Filesystem {
  const source = modes.mount.source ?? "the host's mount namespace";
  refuseMounts(requested, source);
  for (const [name, text] of [
    ['read-only', flags.readOnly === true ? '' : undefined],
    ['shm-size', flags.shmSize],
    ['upper', flags.upper],
    ['secret', flags.secret?.[0]],
  ] as const) {
    if (text !== undefined) throw conflictingFlags(flagSource(name, text === '' ? undefined : text), source);
  }
  const own = flags.rootfs !== undefined || flags.rootfsTar !== undefined;
  return {
    root: { path: own ? facts.rootfs : '/' },
    mounts: [],
    propagation: 'rprivate',
    files: [],
    actions: [],
    subpaths: new Map(),
  };
}

function shmSize({ flags, modes }: FilesystemInput): Sourced<number | bigint> {
  if (flags.shmSize === undefined) return { value: SHM_SIZE };
  const size = sizeFlag('shm-size', flags.shmSize);
  if (size === 0) throw flagRefused('shm-size', flags.shmSize, 'SHM size can not be less than 0');
  if (modes.ipc.value === 'host')
    throw conflictingFlags(flagSource('shm-size', flags.shmSize), modes.ipc.source ?? '');
  return sourced(size, 'shm-size', flags.shmSize);
}

/** Mounts that exchange with the host need a root that does (mount_namespaces(7)), as docker arranges. */
function rootPropagation(mounts: readonly Mount[]): RootfsPropagation {
  const words = mounts.slice().flatMap(({ type, options }) => (type === 'bind' ? (options ?? []) : []));
  if (words.includes('shared') || words.includes('rshared')) return 'rshared';
  return words.includes('slave') || words.includes('rslave') ? 'rslave' : 'rprivate';
}
