// `create` of the OCI runtime: everything up to the start barrier, where the container waits and needs nobody.
//
// runtime-spec runtime.md, Create and Lifecycle steps 1 to 5.
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ownGroups } from '../plan/compile/resctrl.ts';
import { ALL_CPUS } from '../plan/compile/scheduling.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { endProcess, ownCgroups } from './abandoned.ts';
import { type Bundle, readBundle } from './bundle.ts';
import {
  alreadyExists,
  claimContainer,
  lockDescriptor,
  type OciContainerRecord,
  ociState,
  type Target,
} from './container.ts';
import { askEnvironment } from './home.ts';
import { runContainerHooks, runHostHooks } from './hooks.ts';
import { holdIdMaps } from './idmap.ts';
import { withMountPoints } from './mount-points.ts';
import { hostNetDevices } from './net-devices.ts';
import { holdParents, releaseParents, removeParents } from './parents.ts';
import { Player } from './player.ts';
import { type Prepared, prepare } from './prepare.ts';
import { checkPreserved } from './preserved-descriptors.ts';
import { afterFailure, takeBack } from './removal.ts';
import { create } from './start.ts';
import { bootId, identify, removeRecord, STATE_VERSION, write } from './state.ts';

export interface CreateOptions extends Target {
  /** Absolute. */
  readonly bundle: Bytes;
  /** Gets the process id of the container, in decimal. */
  readonly pidFile?: Bytes;
  /** A unix socket of the caller that gets the terminal's master (SCM_RIGHTS). */
  readonly consoleSocket?: Bytes;
  /** A unix socket of the caller that gets a pidfd of the container. */
  readonly pidfdSocket?: Bytes;
  /** So many descriptors from 3 on are passed to the container. */
  readonly preserveFds?: number;
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  /** As in PrepareOptions. */
  readonly rootless?: boolean;
  /** What the caller's environment adds to the configuration. */
  readonly amend?: (spec: Spec) => Spec;
  readonly warn: (message: string) => void;
  /** Told of each poststop hook that fails (runtime.md, Lifecycle 13). */
  readonly warnOfHook?: (message: string) => void;
}

/**
 * Creates a container. Throws CaissonError with provenance; nothing of the container is left then.
 */
export async function createContainer(port: Port, options: CreateOptions): Promise<void> {
  const keep = options.preserveFds ?? 0;
  checkPreserved(port, keep);
  // The launcher starts while the configuration is read and compiled.
  const channel = await port.openChannel({ keep });
  try {
    const bundle = readOciBundle(port, options);
    if (bundle.spec.process?.terminal === true && options.consoleSocket === undefined) {
      throw new CaissonError('cannot allocate tty if runc will detach without setting console socket', {
        code: 'EUSAGE',
        exitCode: 1,
        provenance: ['/process/terminal'],
      });
    }
    await createFrom(port, channel, bundle, options);
  } finally {
    await channel.close();
  }
}

/** The bundle of a container that is to run a program. Throws CaissonError EINVALIDSPEC where there is none. */
export function readOciBundle(port: Port, options: Pick<CreateOptions, 'bundle' | 'warn' | 'amend'>): Bundle {
  const bundle = readBundle(port, options.bundle);
  if (bundle.spec.process?.args === undefined) {
    throw new CaissonError('config.json has no process to run', {
      code: 'EINVALIDSPEC',
      provenance: ['/process/args'],
    });
  }
  for (const warning of bundle.warnings) options.warn(warning);
  return options.amend === undefined ? bundle : { ...bundle, spec: options.amend(bundle.spec) };
}

/** What a plan of the OCI runtime is compiled with, whether it has a barrier or not. */
export async function prepareOci(
  port: Port,
  player: Player,
  bundle: Bundle,
  options: CreateOptions,
  lifecycle: {
    readonly dieWithParent?: boolean;
    readonly plainLineFeeds?: boolean;
    readonly barrier?: { readonly socket: Bytes };
    readonly lock?: number;
  },
): Promise<{ readonly prepared: Prepared; readonly release: () => Promise<void> }> {
  const asked = await askEnvironment(player, bundle.spec);
  let environment = bundle.spec.process?.env;
  const spec = withMountPoints(port, bundle.spec);
  const idMaps = await holdIdMaps(port, player, spec);
  try {
    const text = spec.linux?.cgroupsPath;
    const guard = await holdParents(player, options.stateRoot, { text, asRunc: true });
    const prepared = prepare(port, spec, {
      ...(guard === undefined ? {} : { guard }),
      ...options,
      ...lifecycle,
      idmapped: idMaps.pids,
      netDevices: await hostNetDevices(player, spec),
      agent: { bundle: options.bundle, status: 'creating' },
      cgroupsAsRunc: true,
      affinity: ALL_CPUS,
      environment: () => environment,
    });
    environment = await asked();
    for (const warning of prepared.warnings) options.warn(warning);
    return { prepared, release: idMaps.close };
  } catch (error) {
    await idMaps.close();
    // What was found in its cgroups may be another one's that has taken the id meanwhile.
    if (port.stat(`${options.stateRoot}/${options.id}`) !== undefined) throw alreadyExists(options.id);
    throw error;
  }
}

/** The record of a container that is about to be created. */
export function ociRecord(
  port: Port,
  player: Player,
  spec: Spec,
  { cgroups, madeParents, facts }: Pick<Prepared, 'cgroups' | 'madeParents' | 'facts'>,
  { id, bundle }: Pick<CreateOptions, 'id' | 'bundle'>,
): OciContainerRecord {
  const resctrl = ownGroups(spec, facts, id);
  return {
    version: STATE_VERSION,
    id,
    bootId: bootId(port),
    keeper: identify(port, port.pid),
    launcher: identify(port, player.pid),
    cgroups,
    ...(madeParents.length === 0 ? {} : { madeParents }),
    bundle,
    oci: {
      ociVersion: spec.ociVersion,
      phase: 'creating',
      rootfs: spec.root?.path ?? '',
      created: new Date().toISOString(),
      uid: port.uid,
      hooks: spec.hooks !== undefined,
      ...(resctrl.length === 0 ? {} : { resctrl }),
      ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    },
  };
}

/** The hooks between the mounts and pivot_root (runtime.md, Lifecycle steps 3 to 5; prestart is deprecated). */
export async function runCreateHooks(
  port: Port,
  { spec, facts }: Pick<Prepared, 'spec' | 'facts'>,
  record: OciContainerRecord,
  pid: number,
  { noNewKeyring }: Pick<CreateOptions, 'noNewKeyring'>,
): Promise<void> {
  const state = ociState({ record, status: 'creating' });
  await runHostHooks(port, 'prestart', spec.hooks, state, { pid });
  await runHostHooks(port, 'createRuntime', spec.hooks, state, { pid });
  await runContainerHooks(port, 'createContainer', spec.hooks, state, pid, {
    spec,
    facts,
    cgroups: record.cgroups,
    ...(noNewKeyring === undefined ? {} : { noNewKeyring }),
  });
}

/** The hooks of a container that is gone. */
export async function runStopHooks(
  port: Port,
  { hooks }: Spec,
  record: OciContainerRecord,
  { warnOfHook: warn }: Pick<CreateOptions, 'warnOfHook'>,
): Promise<void> {
  const state = ociState({ record, status: 'stopped' });
  await runHostHooks(port, 'poststop', hooks, state, warn === undefined ? {} : { warn });
}

/** The hooks of a container that waits for its program without a barrier (Lifecycle step 7). */
export async function runStartHooks(
  port: Port,
  { spec, facts }: Pick<Prepared, 'spec' | 'facts'>,
  record: OciContainerRecord,
  pid: number,
  { noNewKeyring }: Pick<CreateOptions, 'noNewKeyring'>,
): Promise<void> {
  const state = ociState({ record, status: 'created' });
  await runContainerHooks(port, 'startContainer', spec.hooks, state, pid, {
    spec,
    facts,
    cgroups: record.cgroups,
    ...(noNewKeyring === undefined ? {} : { noNewKeyring }),
  });
}

async function createFrom(
  port: Port,
  channel: Channel,
  bundle: Bundle,
  options: CreateOptions,
): Promise<void> {
  const player = new Player(port, channel);
  const { stateRoot, id } = options;
  const directory = `${stateRoot}/${id}`;
  const lock = lockDescriptor(options.preserveFds);
  const { prepared, release } = await prepareOci(port, player, bundle, options, {
    barrier: { socket: `${directory}/start` },
    lock,
  });
  try {
    const { spec } = prepared;
    const record = ociRecord(port, player, spec, prepared, options);
    const claim = claimContainer(port, stateRoot, record, { configuration: bundle.text, lock });
    try {
      const pid = await create(port, player, prepared, {
        before: claim.steps,
        hooks: (child) => runCreateHooks(port, prepared, record, child, options),
      });
      await finish(port, player, record, pid, options);
    } catch (error) {
      await releaseParents(player, prepared.guard);
      const refused = claim.refused(error);
      if (refused !== undefined) throw refused;
      await afterFailure(options.warn, async () => {
        await takeBack(port, player, ownCgroups(port, stateRoot, record));
        await removeParents(port, player, stateRoot, record);
        await runStopHooks(port, spec, record, options);
        removeRecord(port, stateRoot, record);
      });
      throw error;
    }
  } finally {
    await release();
  }
}

/** The container waits at its barrier: from here on it can be found. */
async function finish(
  port: Port,
  player: Player,
  record: OciContainerRecord,
  pid: number,
  { stateRoot, pidFile }: CreateOptions,
): Promise<void> {
  const init = identify(port, pid);
  try {
    write(port, stateRoot, { ...record, oci: { ...record.oci, phase: 'created', init } });
    if (pidFile !== undefined) port.replaceFile(pidFile, String(pid), 0o644);
  } catch (error) {
    await endProcess(port, player, init);
    throw error;
  }
}
