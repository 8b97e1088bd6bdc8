// Chain IDs: the names of layers together with all that lie below them (image-spec 1.1, config.md, "Layer ChainID").
import { toArray } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { digestBytes } from './durable.ts';

/** The chain IDs of layers, lowest first: the first is the first diff ID, each other one of all up to there. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) chains.push(chainId(chains.at(-1), diffId));
  return chains;
}

/** The chain ID of a layer upon `parent`. */
export function chainId(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestBytes(toArray(`${parent} ${diffId}`));
}
