// The images of an engine: `engine.images`.
import type { Engine as OpenedEngine } from '../engine/containers/engine.ts';
import type { PartStatus, Reporter } from '../engine/images/reporter.ts';
import type { Shop } from '../engine/images/shop.ts';
import { bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import type { JsonValue } from '../spec/json.ts';
import { type BuildChoice, buildImage } from './image-build.ts';
import { decoded, encoded } from './text.ts';

/** An image of the store. */
export interface ImageSummary {
  /** Of its configuration: `sha256:...`. */
  readonly id: string;
  /** Names in docker's short form. */
  readonly names: readonly string[];
  /** Bytes of its unpacked layers. */
  readonly size: number;
}

/** What a long work tells meanwhile. */
export interface ProgressOptions {
  /** A layer, and how far it is. */
  readonly onProgress?: (part: PartStatus) => void;
  /** Something that went wrong and does not end the work. */
  readonly onWarning?: (message: string) => void;
}

/** Images. Each method throws CaissonError; `ENOTFOUND` for an image that is not there. */
export class Images {
  private readonly engine: OpenedEngine;

  /** @internal */
  constructor(engine: OpenedEngine) {
    this.engine = engine;
  }

  /** Pulls an image for this machine, or for `platform` (`linux/arm64`). The result is its name in full. */
  async pull(name: string, options: ProgressOptions & { readonly platform?: string } = {}): Promise<string> {
    const [{ pullImage }, { atItsRegistry, registryConfiguration }, { wantedPlatform }, { canonical }] =
      await Promise.all([
        import('../engine/images/pull.ts'),
        import('../engine/images/registry.ts'),
        import('../engine/images/shop.ts'),
        import('../spec/reference.ts'),
      ]);
    return await this.inShop(options, async (shop) => {
      const platform = wantedPlatform(shop.port, encoded(options.platform));
      const wanted = { platform, explicit: options.platform !== undefined };
      const configuration = await registryConfiguration(shop.port);
      return await atItsRegistry(
        configuration,
        utf8ToBytes(name),
        shop.reporter,
        async (registry, reference) =>
          canonical((await pullImage(shop, registry, reference, wanted)).reference),
      );
    });
  }

  /** Pushes an image to the registry of its name. The result is that name in full. */
  async push(name: string, options: ProgressOptions = {}): Promise<string> {
    const [{ pushImage }, { pushReference, registryConfiguration, withRegistry }, { canonical }] =
      await Promise.all([
        import('../engine/images/push.ts'),
        import('../engine/images/registry.ts'),
        import('../spec/reference.ts'),
      ]);
    return await this.inShop(options, async (shop) => {
      const reference = pushReference(utf8ToBytes(name));
      const configuration = await registryConfiguration(shop.port);
      return await withRegistry(configuration, reference, 'push', shop.reporter, async (registry) =>
        canonical((await pushImage(shop, registry, reference)).reference),
      );
    });
  }

  /** Builds an image from a Dockerfile; the result is its ID. Throws CaissonError with line and column of what failed. */
  async build(choice: BuildChoice): Promise<string> {
    return await buildImage(this.engine, choice);
  }

  /** All images, in the order in which they were named. */
  async list(): Promise<ImageSummary[]> {
    const [{ imagesOf }, { imageSize }, { familiar }] = await Promise.all([
      import('../engine/images/shop.ts'),
      import('../engine/images/size.ts'),
      import('../spec/reference.ts'),
    ]);
    return await this.inShop({}, async (shop) =>
      (await imagesOf(shop)).map((image) => ({
        id: image.id,
        names: image.names.map(familiar).map(bytesToUtf8),
        size: imageSize(shop.store, image),
      })),
    );
  }

  /** docker's JSON about an image. */
  async inspect(name: string): Promise<JsonValue> {
    const [{ imagesOf }, { requireImage }, { inspectImage }] = await Promise.all([
      import('../engine/images/shop.ts'),
      import('../engine/images/stored-image.ts'),
      import('../engine/images/inspect.ts'),
    ]);
    return await this.inShop({}, async (shop) => {
      const { image } = requireImage(await imagesOf(shop), utf8ToBytes(name));
      return decoded(await inspectImage(shop.store, image));
    });
  }

  /** Gives an image one more name. */
  async tag(source: string, target: string): Promise<void> {
    const { tagImage } = await import('../engine/images/tag.ts');
    await this.inShop({}, (shop) => tagImage(shop, utf8ToBytes(source), utf8ToBytes(target)));
  }

  /** Removes a name, or an image by its ID. Throws CaissonError `ECONFLICT` where it is used and `force` is not given. */
  async remove(
    name: string,
    { force = false }: { readonly force?: boolean } = {},
  ): Promise<{ readonly untagged: readonly string[]; readonly deleted: readonly string[] }> {
    const [{ removeImage }, { imagesOf }, { collectGarbage, imageUsers }, { tellRemoved }] =
      await Promise.all([
        import('../engine/images/remove.ts'),
        import('../engine/images/shop.ts'),
        import('../engine/images/garbage.ts'),
        import('../engine/events/images.ts'),
      ]);
    return await this.inShop({}, async (shop) => {
      const options = { force, users: imageUsers(shop) };
      const removed = await removeImage(shop.store, await imagesOf(shop), utf8ToBytes(name), options);
      tellRemoved(shop, removed);
      await collectGarbage(shop);
      return decoded(removed);
    });
  }

  /** Loads the images of an archive file, docker's or OCI's, compressed or not. */
  async load(
    path: string,
    options: ProgressOptions = {},
  ): Promise<{ readonly id: string; readonly names: readonly string[] }[]> {
    const [{ loadImages }, { fileSource }] = await Promise.all([
      import('../engine/images/archives.ts'),
      import('../engine/images/streams.ts'),
    ]);
    return await this.inShop(options, async (shop) =>
      decoded(await loadImages(shop, fileSource(shop.port, utf8ToBytes(path)), shop.host, () => undefined)),
    );
  }

  /** An archive of some images, piece by piece; docker's format is an OCI layout as well. */
  async *save(names: readonly string[], format: 'docker' | 'oci' = 'docker'): AsyncGenerator<Uint8Array> {
    const [{ saveImages }, { openShop }] = await Promise.all([
      import('../engine/images/archives.ts'),
      import('../engine/images/shop.ts'),
    ]);
    const shop = await openShop(this.engine.port, { dataRoot: this.engine.dataRoot });
    try {
      yield* await saveImages(shop, names.map(utf8ToBytes), format, undefined);
    } finally {
      await shop.store.close();
    }
  }

  private async inShop<T>(options: ProgressOptions, work: (shop: Shop) => Promise<T>): Promise<T> {
    const { withShop } = await import('../engine/images/shop.ts');
    const reporter: Reporter = {
      line: () => undefined,
      part: (part) => options.onProgress?.(part),
      warn: (message) => options.onWarning?.(message),
    };
    return await withShop(this.engine.port, { dataRoot: this.engine.dataRoot, reporter }, work);
  }
}
