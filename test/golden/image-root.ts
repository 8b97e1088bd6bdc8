// A small made-up image, as the root of golden plans.
import type { Bytes } from '../../src/linux/bytes.ts';
import type { RootPlan } from '../../src/plan/compile/context.ts';
import { type ImageRoot, imageRoot } from '../../src/snapshot/image-root.ts';
import { mappedRoot } from '../../src/snapshot/mapped-root.ts';
import { LEVELS, type Level } from './facts.ts';

export interface GoldenImage {
  readonly level?: Level;
  readonly layers?: number;
  readonly userNamespace?: boolean;
  readonly kept?: boolean;
  readonly fresh?: boolean;
  readonly label?: Bytes;
  /** The user namespace whose maps the layers get. */
  readonly maps?: Bytes;
}

export function goldenImage({ level = '6.18', layers = 3, userNamespace = false, kept = false, fresh = true, label = '', maps }: GoldenImage): RootPlan {
  const image: ImageRoot = {
    stack: {
      directory: '/var/lib/caisson/layers',
      layers: Array.from({ length: layers }, (_, index) => `${String(index).padStart(3, '0')}${'ab'.repeat(30)}c/tree`),
    },
    directory: kept ? '/srv/changes' : '/var/lib/caisson/containers/golden',
    fresh,
    kept,
    kernel: LEVELS[level],
    userNamespace,
    label,
    cause: kept ? '--upper /srv/changes' : 'image example',
  };
  return maps === undefined ? imageRoot(image) : mappedRoot(image, maps);
}
