// All mounts of a container: the defaults, the generated files and what the flags ask for, in the order of mounting.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import type { HostAction } from './bind-options.ts';
import { conflictingFlags } from './flag-error.ts';
import { parseMount } from './mount-flag.ts';
import { pathDepth } from './mount-paths.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import { parseTmpfs } from './tmpfs-flag.ts';
import { parseVolume } from './volume-flag.ts';
import type { RequestedMount } from './volume-request.ts';

/** The mounts that the flags ask for. */
export function requestedMounts(flags: RunFlags, cwd: Bytes): RequestedMount[] {
  return [
    ...(flags.volume ?? []).map((text) => parseVolume(text, cwd)),
    ...(flags.mount ?? []).map((text) => parseMount(text, cwd)),
    ...(flags.tmpfs ?? []).map(parseTmpfs),
  ];
}

/** The final list and what it asks of the host side. */
export interface CompiledMounts {
  readonly mounts: readonly Mount[];
  readonly actions: readonly HostAction[];
  /** Mounts that show a directory of their source only: pointer -> path below it, resolved inside. */
  readonly subpaths: ReadonlyMap<Pointer, Bytes>;
}

/**
 * Defaults first, then `generated`, then what was asked for, each group from the top down; secrets last, so that nothing
 * hides them.
 *
 * As docker's: a mount that was asked for replaces the default at its place, and one at /dev all below /dev.
 * Throws on two flags for one destination.
 */
export function assembleMounts(
  defaults: readonly Sourced<Mount>[],
  generated: readonly Sourced<Mount>[],
  requested: readonly RequestedMount[],
  secrets: readonly Sourced<Mount>[],
  recorder: Recorder,
): CompiledMounts {
  const taken = takenPlaces(requested, secrets);
  const stays = ({ value }: Sourced<Mount>): boolean =>
    !taken.has(value.destination) && !(taken.has('/dev') && value.destination.startsWith('/dev/'));
  const sorted = [...requested].sort(
    (a, b) => pathDepth(a.mount.destination) - pathDepth(b.mount.destination),
  );
  const asked = sorted.map(({ mount, source }): Sourced<Mount> => ({ value: mount, source }));
  const before = [...defaults.filter(stays), ...generated.filter(stays)];
  const subpaths = new Map<Pointer, Bytes>();
  for (const [index, { volume }] of sorted.entries())
    if (volume?.subpath !== undefined) subpaths.set(`/mounts/${before.length + index}`, volume.subpath);
  return {
    mounts: recorder.array('/mounts', [...before, ...asked, ...secrets.filter(isAsked(requested))]),
    actions: requested.flatMap(({ actions }) => actions),
    subpaths,
  };
}

/** Destination -> the flag that asks for it. Throws CaissonError `EUSAGE` for two at one place. */
function takenPlaces(
  requested: readonly RequestedMount[],
  secrets: readonly Sourced<Mount>[],
): Map<Bytes, string> {
  const taken = new Map<Bytes, string>();
  const wanted = [
    ...requested.map(({ mount: { destination }, source }) => ({ destination, source })),
    ...secrets.flatMap(({ value: { destination }, source }) =>
      source === undefined ? [] : [{ destination, source }],
    ),
  ];
  for (const { destination, source } of wanted) {
    const other = taken.get(destination);
    if (other !== undefined) {
      throw new CaissonError(`duplicate mount point: ${destination}`, {
        code: 'EUSAGE',
        sources: [other, source],
      });
    }
    taken.set(destination, source);
  }
  return taken;
}

/** The directory of secrets is one in memory, unless the flags have another for it. */
function isAsked(requested: readonly RequestedMount[]): (each: Sourced<Mount>) => boolean {
  return ({ value, source }) =>
    source !== undefined || !requested.some(({ mount }) => mount.destination === value.destination);
}

/** Without a mount namespace of its own nothing can be mounted for a container alone. */
export function refuseMounts(requested: readonly RequestedMount[], source: string): void {
  const first = requested[0];
  if (first !== undefined) throw conflictingFlags(first.source, source);
}
