// Images that stages are based on, or copy from: of the store, or pulled, unpacked, for the platform that is asked for.
import type { BaseImage } from '../../build/execute/result.ts';
import { utf8ToBytes } from '../../linux/bytes.ts';
import { type NamedPlatform, platformName } from '../../spec/platform-match.ts';
import { checkRunnable } from '../images/platform.ts';
import { obtain, type PullPolicy } from '../images/run-image.ts';
import type { Shop } from '../images/shop.ts';
import type { StoredImage } from '../images/stored-image.ts';
import { layersOf, unpackAll, visibleLayers } from '../images/unpack.ts';
import { isLayoutReference } from './named-contexts.ts';

export interface BaseImageOptions {
  readonly pull: PullPolicy;
  /** Whether a platform was asked for, with `--platform` or in the Dockerfile. */
  readonly explicit: boolean;
  readonly warn: (message: string) => void;
}

/** Throws CaissonError `ENOTFOUND`, `EPLATFORM`, and what a pull throws. */
export async function baseImage(
  shop: Shop,
  reference: string,
  platform: NamedPlatform,
  { pull, explicit, warn }: BaseImageOptions,
): Promise<BaseImage> {
  if (isLayoutReference(reference)) {
    const { layoutImage } = await import('./layout-image.ts');
    return await layersInStore(shop, await layoutImage(shop, reference, { platform, explicit: true }));
  }
  const name = utf8ToBytes(reference);
  const wanted = explicit ? utf8ToBytes(platformName(platform)) : undefined;
  const image = await obtain(shop, { image: name, platform: wanted, pull }, platform);
  const warning = checkRunnable(shop.port, image, shop.host, explicit);
  if (warning !== undefined) warn(warning);
  return await layersInStore(shop, image);
}

/** The layers of an image whose blobs are in the store, unpacked. */
async function layersInStore(
  shop: Shop,
  { manifest, config, chains }: Pick<StoredImage, 'manifest' | 'config' | 'chains'>,
): Promise<BaseImage> {
  const described = layersOf(manifest.layers, config.diffIds, chains);
  const unpacked = await unpackAll(shop, described);
  const visible = new Set(visibleLayers(unpacked).map(({ chain }) => chain));
  const paths = new Map(unpacked.map(({ chain, path }) => [chain, path]));
  return {
    config,
    layers: described.map(({ descriptor, diffId, chain }) => ({
      kind: 'base',
      descriptor,
      diffId,
      chain,
      path: paths.get(chain) ?? '',
      visible: visible.has(chain),
    })),
  };
}
