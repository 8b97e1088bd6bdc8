// What stages come to: layers below each other, a configuration, and the key that stands for all of it.
import type { Bytes } from '../../linux/bytes.ts';
import type { LayerStack } from '../../snapshot/layer-stack.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import type { ImageConfig } from '../../spec/image-config.ts';
import { type KeptStep, treeOf } from '../cache/steps.ts';
import type { StageState } from '../graph/evaluate.ts';

/** A layer of an image that is in the store. */
export interface BaseLayer {
  readonly kind: 'base';
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chain: Digest;
  /** Of its files, absolute. */
  readonly path: Bytes;
  /** False where a layer above hides all of it (an opaque root, which overlayfs does not heed). */
  readonly visible: boolean;
}

/** A layer that this build, or an earlier one, has made. */
export interface StepLayer {
  readonly kind: 'step';
  readonly step: KeptStep;
}

/** This machine's own files, below everything that a stage changes; no layer of an image. */
export interface HostLayer {
  readonly kind: 'host';
  /** Takes all changes of the stage, as `hostRoot` (src/snapshot) keeps them; undefined for the files as they are. */
  readonly directory: Bytes | undefined;
}

export type ResultLayer = BaseLayer | StepLayer | HostLayer;

/** Where a stage stands on this machine's own files it has no other layers. */
export function hostLayerOf([first]: readonly ResultLayer[]): HostLayer | undefined {
  return first?.kind === 'host' ? first : undefined;
}

/** An image of the store, unpacked. */
export interface BaseImage {
  readonly config: ImageConfig;
  readonly layers: readonly BaseLayer[];
}

export interface StageResult {
  readonly state: StageState;
  /** Lowest first. */
  readonly layers: readonly ResultLayer[];
  readonly key: string;
  /** Lines of history that came with the base image. */
  readonly inheritedHistory: number;
}

/** The layers as an overlay takes them, relative to the store's directory `root`. */
export function stackOf(root: Bytes, layers: readonly ResultLayer[]): LayerStack {
  const relative = (path: Bytes) => (path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path);
  return {
    directory: root,
    layers: layers.flatMap((layer) => {
      if (layer.kind === 'step') return [relative(treeOf(layer.step))];
      return layer.kind === 'base' && layer.visible ? [relative(layer.path)] : [];
    }),
  };
}

/** The key of an image's files: the chain ID of its topmost layer. */
export function imageKey(layers: readonly BaseLayer[], platform: string): string {
  return `image ${platform} ${layers.at(-1)?.chain ?? 'scratch'}`;
}
