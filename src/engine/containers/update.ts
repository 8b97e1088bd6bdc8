// `update`: other limits, and another restart policy, for a container that runs now and whenever it starts.
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { RunSettings } from '../../frontends/docker/settings.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { load } from '../../runtime/state.ts';
import { updateContainer } from '../../runtime/update.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxResources } from '../../spec/runtime-spec.ts';
import { admit } from '../capacity/admit.ts';
import { compiledFile } from './compiled-file.ts';
import { type ContainerFile, replaceContainerFile } from './container-file.ts';
import type { Engine } from './engine.ts';
import { runs, viewAgain } from './files.ts';
import { findId } from './find.ts';
import { type HeldPlace, withPlace } from './place-lock.ts';

/** The flags of `run` that `update` changes, as typed. */
export type UpdateFlags = Pick<
  RunFlags,
  | 'memory'
  | 'memorySwap'
  | 'memoryReservation'
  | 'cpus'
  | 'cpuShares'
  | 'cpuUnits'
  | 'cpuPeriod'
  | 'cpuQuota'
  | 'cpusetCpus'
  | 'cpusetMems'
  | 'pidsLimit'
  | 'blkioWeight'
  | 'restart'
>;

/**
 * Writes the limits of a running container first, and keeps what the kernel has taken. The result is warnings. Throws
 * CaissonError `ENOTFOUND`, EUSAGE for a value that is wrong, ELIMIT where the kernel refuses one.
 */
export async function updateByName(engine: Engine, text: Bytes, changes: UpdateFlags): Promise<string[]> {
  const id = findId(engine, text);
  return await withPlace(engine, id, async (held) => {
    const view = viewAgain(engine, id);
    const { file } = view;
    const changed: ContainerFile = { ...file, flags: merged(file.flags, changes) };
    if (changes.restart !== undefined && file.autoRemove) {
      throw new CaissonError(
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
        { code: 'EUSAGE', exitCode: 1 },
      );
    }
    const { spec, settings, warnings } = await compiledFile(engine, changed);
    const before = await compiledFile(engine, file);
    const resources = differences(before.spec.linux?.resources ?? {}, spec.linux?.resources ?? {});
    const told = warnings.filter((warning) => !before.warnings.includes(warning));
    if (runs(view)) {
      await letIn(engine, held, id, settings);
      try {
        if (Object.keys(resources).length > 0)
          told.push(...(await updateContainer(engine.port, { stateRoot: engine.stateRoot, id }, resources)));
      } catch (error) {
        await letIn(engine, held, id, before.settings);
        throw error;
      }
    }
    replaceContainerFile(engine, { ...changed, restart: settings.restart });
    return told;
  });
}

/** A running container holds what its limits ask for by now. Throws CaissonError `ECAPACITY` where that does not fit. */
async function letIn(
  { port, stateRoot }: Engine,
  { player }: HeldPlace,
  id: Bytes,
  { reservation, reservedBy }: RunSettings,
): Promise<void> {
  const { reserved } = load(port, stateRoot, id) ?? {};
  if (reserved?.cpuUnits === reservation?.cpuUnits && reserved?.memory === reservation?.memory) return;
  await admit(port, player, { stateRoot, id, reservation, sources: reservedBy });
}

/** `--cpus` and `--cpu-period`, `--cpu-quota` say the same: the newer ones hold. */
function merged(flags: RunFlags, changes: UpdateFlags): RunFlags {
  const { cpus, cpuPeriod, cpuQuota, ...rest } = flags;
  const byQuota = changes.cpuPeriod !== undefined || changes.cpuQuota !== undefined;
  return {
    ...rest,
    ...(cpus === undefined || byQuota ? {} : { cpus }),
    ...(cpuPeriod === undefined || changes.cpus !== undefined ? {} : { cpuPeriod }),
    ...(cpuQuota === undefined || changes.cpus !== undefined ? {} : { cpuQuota }),
    ...changes,
  };
}

/** The fields that another compilation of the flags has, or has with another value. */
function differences(before: LinuxResources, after: LinuxResources): LinuxResources {
  return {
    ...part('memory', changedFields(before.memory, after.memory)),
    ...part('cpu', changedFields(before.cpu, after.cpu)),
    ...part('pids', changedFields(before.pids, after.pids)),
    ...part('blockIO', changedFields(before.blockIO, after.blockIO)),
  };
}

function part<Key extends string, T>(key: Key, fields: T | undefined): { readonly [K in Key]?: T } {
  return fields === undefined ? {} : ({ [key]: fields } as { readonly [K in Key]: T });
}

function changedFields<T extends object>(before: T | undefined, after: T | undefined): T | undefined {
  if (after === undefined) return undefined;
  const fields = Object.entries(after).filter(
    ([key, value]) => Object.entries(before ?? {}).find(([name]) => name === key)?.[1] !== value,
  );
  return fields.length === 0 ? undefined : after;
}
