// Where commands do their work on images: the store, the platform of this machine, and whom to tell.
import type { Channel, Port } from '../../host/port.ts';
import { storeLocation } from '../../image/store/location.ts';
import { openStore, type Store } from '../../image/store/store.ts';
import type { Arch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type NamedPlatform, normalise, parsePlatformName } from '../../spec/platform-match.ts';
import { type Reporter, SILENT } from './reporter.ts';
import { type StoredImage, storedImages } from './stored-image.ts';

export interface ShopOptions {
  /** `--data-root`. */
  readonly dataRoot: Bytes | undefined;
  readonly reporter?: Reporter;
  /** A launcher of the caller's that holds the locks, instead of one for them alone. */
  readonly channel?: Channel;
}

export interface Shop {
  readonly port: Port;
  readonly store: Store;
  /** Of this machine. */
  readonly host: NamedPlatform;
  readonly reporter: Reporter;
}

const ARCHITECTURES: Readonly<Record<Arch, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** The platform whose images run here. */
export function hostPlatform(port: Pick<Port, 'arch'>): NamedPlatform {
  return normalise({ os: 'linux', architecture: ARCHITECTURES[port.arch] });
}

/** `--platform`; this machine's without it. Throws CaissonError `EPLATFORM`. */
export function wantedPlatform(port: Pick<Port, 'arch'>, text: Bytes | undefined): NamedPlatform {
  const host = hostPlatform(port);
  return text === undefined || text === '' ? host : parsePlatformName(text, host);
}

/** Opens the store, does `work`, and closes it again. Throws what openStore and `work` throw. */
export async function withShop<T>(
  port: Port,
  options: ShopOptions,
  work: (shop: Shop) => Promise<T>,
): Promise<T> {
  const shop = await openShop(port, options);
  try {
    return await work(shop);
  } finally {
    await shop.store.close();
  }
}

/** The caller closes `store`. */
export async function openShop(
  port: Port,
  { dataRoot, reporter = SILENT, channel }: ShopOptions,
): Promise<Shop> {
  const { hostDisk } = await import('../../host/node-disk.ts');
  const location = await storeLocation(port, dataRoot);
  const store = await openStore(port, hostDisk(), location, {
    waiting: (what) => {
      reporter.warn(`${what}: waiting for it`);
    },
    ...(channel === undefined ? {} : { channel }),
  });
  return { port, store, host: hostPlatform(port), reporter };
}

/** All images, as this machine sees them. */
export async function imagesOf({ store, host }: Shop): Promise<StoredImage[]> {
  return await storedImages(store, host);
}
