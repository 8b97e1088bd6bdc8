// The volumes of a command line.
import { openVolumes, type VolumeStore } from '../engine/volumes/volume-store.ts';
import type { Context } from './context.ts';

/** Throws CaissonError as openVolumes. */
export async function openStore({ port, globals }: Context): Promise<VolumeStore> {
  return await openVolumes(port, globals.dataRoot);
}
