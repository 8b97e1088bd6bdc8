// How large an image is: the files of its layers, unpacked where they are, else as they came.
import type { LayerPath } from '../../image/store/layers.ts';
import type { Digest } from '../../spec/digest.ts';
import type { StoredImage } from './stored-image.ts';

/** The part of a store that knows unpacked layers. */
export interface LayerShelf {
  readonly layers: { get(chain: Digest): LayerPath | undefined };
}

/** Bytes of each layer, lowest first. */
export function layerSizes({ layers }: LayerShelf, { chains, manifest }: StoredImage): number[] {
  return chains.map((chain, at) => layers.get(chain)?.facts.size ?? manifest.layers[at]?.size ?? 0);
}

/** Bytes; a layer that several images have counts in each, as docker counts. */
export function imageSize(shelf: LayerShelf, image: StoredImage): number {
  return layerSizes(shelf, image).reduce((sum, size) => sum + size, 0);
}
