// `commit`: an image from a container's changes; and `diff`, which lists them.
import { type DraftConfig, draftOf } from '../../build/graph/image-draft.ts';
import { thawStep } from '../../cgroups/freezer.ts';
import type { Port } from '../../host/port.ts';
import { type Change, treeChanges } from '../../image/layer/changes.ts';
import { layerMediaType } from '../../image/layer/compress.ts';
import { writeLayer } from '../../image/layer/write.ts';
import { type Bytes, bytesToUtf8, fromArray } from '../../linux/bytes.ts';
import { freeze } from '../../runtime/pause.ts';
import { withLauncher } from '../../runtime/removal.ts';
import type { ContainerRecord, ProcessIdentity } from '../../runtime/state.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { parseImageManifest } from '../../spec/image-manifest.ts';
import { isForeignLayer, layerCompression } from '../../spec/media-types.ts';
import type { Reference } from '../../spec/reference.ts';
import { applyChanges } from './changes.ts';
import { changesView } from './changes-view.ts';
import { type PlaceOwner, placeOf } from './container-place.ts';
import { makeImage } from './new-image.ts';
import { changesOf, idsOf, isMountPoint } from './running.ts';
import { storeContent } from './scratch.ts';
import type { Shop } from './shop.ts';

/** A container, whether it runs or not. */
export interface CommitSubject {
  readonly id: Bytes;
  /** Of its run; none where it does not run. */
  readonly cgroups: ContainerRecord['cgroups'];
  /** Its first process, where it runs. */
  readonly init: ProcessIdentity | undefined;
  /** What its flags make of the configuration of its image; none where its flags are not known. */
  readonly configured?: (image: DraftConfig) => DraftConfig;
}

export interface CommitOptions {
  readonly name: Reference | undefined;
  readonly author: Bytes | undefined;
  readonly message: Bytes | undefined;
  readonly changes: readonly Bytes[];
  /** Whether the container stands still meanwhile. */
  readonly pause: boolean;
}

/** The ID of the new image, whose configuration is the container's with the changes. Throws CaissonError. */
export async function commitContainer(
  shop: Shop,
  record: CommitSubject,
  options: CommitOptions,
): Promise<Digest> {
  const { port, store, host } = shop;
  const owner = changesOf(port, store.root, record);
  const text = fromArray(await store.blobs.read(owner.manifest, MANIFEST_LIMIT));
  const manifest = parseImageManifest(text, owner.manifest.mediaType);
  const config = parseImageConfig(fromArray(await store.blobs.read(manifest.config, CONFIG_LIMIT)));
  const cause = `container ${record.id.slice(0, 12)}`;
  const { directory, ...view } = changesView(
    port,
    upperOf(port, store.root, owner),
    idsOf(port, owner, record.init),
    cause,
  );
  const write = () =>
    storeContent(shop, layerMediaType('gzip'), (sink) =>
      writeLayer(
        port,
        directory,
        { form: 'overlay', compression: 'gzip', cause, exclude: isMountPoint, ...view },
        sink,
      ),
    );
  const { descriptor, result } = await (options.pause ? whilePaused(shop, record, write) : write());
  const created = new Date().toISOString();
  const image = draftOf(config);
  const own = { ...image, config: record.configured?.(image.config) ?? image.config };
  const draft = applyChanges(own, options.changes, host);
  const author = options.author === undefined ? {} : { author: bytesToUtf8(options.author) };
  const comment = options.message === undefined ? {} : { comment: bytesToUtf8(options.message) };
  const step = { created, created_by: `caisson commit ${record.id.slice(0, 12)}`, ...author, ...comment };
  return await makeImage(shop, {
    draft: { ...draft, ...author, history: [...draft.history, step] },
    layers: [...manifest.layers.map(ociLayer), descriptor],
    diffIds: [...config.diffIds, result.diffId],
    created,
    name: options.name,
  });
}

/** Where the changes are; an empty directory for a container that was never mounted: its first start still sees a fresh one. */
function upperOf(port: Port, root: Bytes, { id, changes }: PlaceOwner): Bytes {
  const upper = `${changes}/upper`;
  if (port.stat(upper) !== undefined) return upper;
  const nothing = `${placeOf(root, id)}/nothing`;
  port.makeDirectory(nothing);
  return nothing;
}

/** In an OCI manifest the same layer has OCI's media type. */
function ociLayer(layer: Descriptor): Descriptor {
  const { mediaType, digest, size } = layer;
  const compression = layerCompression(mediaType);
  if (compression === undefined || isForeignLayer(mediaType)) return layer;
  return { mediaType: layerMediaType(compression), digest, size };
}

/** Without cgroups of its own nobody can hold a container, and it runs on. */
async function whilePaused<T>(
  { port, reporter }: Shop,
  { cgroups }: CommitSubject,
  work: () => Promise<T>,
): Promise<T> {
  if (cgroups.length === 0) {
    reporter.warn(
      'the container has no cgroup of its own and cannot be paused: files that it writes meanwhile may be half there',
    );
    return await work();
  }
  return await withLauncher(port, async (player) => {
    await freeze(port, player, cgroups);
    try {
      return await work();
    } finally {
      await player.play([thawStep(cgroups)]);
    }
  });
}

/** What the container has changed, as `docker diff` lists it. */
export async function containerChanges(
  { port, store }: Shop,
  record: CommitSubject,
): Promise<readonly Change[]> {
  const owner = changesOf(port, store.root, record);
  const layers = owner.layers.flatMap((chain) => store.layers.get(chain)?.path ?? []).reverse();
  const cause = `container ${record.id.slice(0, 12)}`;
  const { directory, ...view } = changesView(
    port,
    upperOf(port, store.root, owner),
    idsOf(port, owner, record.init),
    cause,
  );
  const changes = await treeChanges(port, directory, layers, { cause, exclude: isMountPoint, ...view });
  // Mount points were made in /etc, which changed its time and nothing else.
  const onlyTouched = !changes.some(({ path }) => path.startsWith('/etc/'));
  return changes.filter(({ kind, path }) => !(onlyTouched && kind === 'C' && path === '/etc'));
}
