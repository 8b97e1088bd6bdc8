// `caisson run IMAGE`: finds the image, or pulls it, unpacks it, and makes the root of one container of it.

import type { ImageConfig, UserDatabase } from '../../frontends/docker/facts.ts';
import { imageConfigOf } from '../../frontends/docker/image-config.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { Channel, Port } from '../../host/port.ts';
import type { LayerPath } from '../../image/store/layers.ts';
import { enterOwnUserNamespace } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { slot } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import type { HostFacts } from '../../plan/facts.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { inUserNamespace } from '../../runtime/state.ts';
import { imageRoot } from '../../snapshot/image-root.ts';
import { imageView, leavesNothing } from '../../snapshot/image-view.ts';
import { type LayerStack, takesLayersOneByOne } from '../../snapshot/layer-stack.ts';
import { mappedRoot } from '../../snapshot/mapped-root.ts';
import { CaissonError } from '../../spec/error.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import { canonical, familiar, parseReference } from '../../spec/reference.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import type { ImageUse, OpenedImage, OpenImage } from '../opened-image.ts';
import { readUsers } from '../user-database.ts';
import { reserveIds } from './auto-ids.ts';
import { type ContainerIds, containerIds } from './changes-view.ts';
import { makePlace, noteIds, type PlaceOwner, removePlace } from './container-place.ts';
import { unpackMapped } from './mapped-layers.ts';
import { explainOverlay } from './overlay-place.ts';
import { checkRunnable, explainForeignImage } from './platform.ts';
import type { Reporter } from './reporter.ts';
import { openShop, type Shop, wantedPlatform } from './shop.ts';
import { forPlatform, lookUpImage, noSuchImage, type StoredImage } from './stored-image.ts';
import { layersOf, unpackAll, visibleLayers } from './unpack.ts';

/** `--pull`. */
export type PullPolicy = 'always' | 'missing' | 'never';

export interface RunImageOptions {
  /** As it was typed. */
  readonly image: Bytes;
  readonly dataRoot: Bytes | undefined;
  /** `--platform`. */
  readonly platform: Bytes | undefined;
  readonly pull: PullPolicy;
  readonly name: Bytes | undefined;
  /** `--userns`. */
  readonly userns: Bytes | undefined;
  /** The maps of a user's container, where they are not the usual ones. */
  readonly ids: ContainerIds | undefined;
  readonly reporter: Reporter;
}

/** Throws CaissonError `EUSAGE` for another word. */
export function pullPolicy(text: Bytes | undefined): PullPolicy {
  const policy = text ?? 'missing';
  if (policy === 'always' || policy === 'missing' || policy === 'never') return policy;
  throw new CaissonError(`invalid pull option: '${policy}': must be one of "always", "missing" or "never"`, {
    code: 'EUSAGE',
  });
}

/** What a run does with the image before its container is compiled. */
export function imageOpener(options: RunImageOptions): OpenImage {
  return async (use) => {
    const shop = await openShop(use.port, { ...options, channel: use.channel });
    try {
      return await openImage(shop, use, options);
    } catch (error) {
      throw ofRun(error);
    } finally {
      // The directory of the container is named by now: a garbage collection leaves what it uses.
      await shop.store.close();
    }
  };
}

/** docker-run(1): what goes wrong before the container runs is 125, whatever `pull` would end with. */
function ofRun(error: unknown): unknown {
  if (!(error instanceof CaissonError) || error.exitCode !== 1) return error;
  const { code, errno, syscall, provenance, sources, details, cause } = error;
  const kernel = { ...(errno === undefined ? {} : { errno }), ...(syscall === undefined ? {} : { syscall }) };
  return new CaissonError(error.message, {
    code,
    ...kernel,
    provenance,
    sources,
    details,
    exitCode: 125,
    cause,
  });
}

/** What a container that stays needs of its image; the rest is read when it starts. */
export interface ImageForContainer {
  readonly config: ImageConfig;
  readonly stack: LayerStack;
  readonly owner: Omit<PlaceOwner, 'bootId' | 'keeper' | 'id' | 'name' | 'changes' | 'created' | 'volumes'>;
}

/** Finds, pulls and unpacks the image, and calls `keep` while a garbage collection is kept out. Throws CaissonError. */
export async function withImageForContainer<T>(
  port: Port,
  options: RunImageOptions,
  warn: (message: string) => void,
  keep: (found: ImageForContainer) => Promise<T>,
): Promise<T> {
  const shop = await openShop(port, options);
  try {
    const { image, layers } = await ready(shop, options, warn);
    return await keep({
      config: imageConfigOf(image.config.config),
      stack: stackOf(shop.store.root, layers),
      owner: ownerOf(image, layers, options),
    });
  } catch (error) {
    throw ofRun(error);
  } finally {
    await shop.store.close();
  }
}

/** An image with its layers unpacked: for the container's ids, and for those that they usually have. */
interface ReadyImage {
  readonly image: StoredImage;
  readonly usual: readonly LayerPath[];
  readonly layers: readonly LayerPath[];
}

/** The image that was asked for. */
async function ready(
  shop: Shop,
  options: RunImageOptions,
  warn: (message: string) => void,
): Promise<ReadyImage> {
  const { port } = shop;
  const platform = wantedPlatform(port, options.platform);
  const image = await obtain(shop, options, platform);
  const warning = checkRunnable(port, image, shop.host, options.platform !== undefined);
  if (warning !== undefined) warn(warning);
  const { manifest, config, chains } = image;
  const described = layersOf(manifest.layers, config.diffIds, chains);
  const usual = visibleLayers(await unpackAll(shop, described));
  const { ids } = options;
  const layers = ids === undefined ? usual : visibleLayers(await unpackMapped(shop, described, ids));
  return { image, usual, layers };
}

function ownerOf(
  image: StoredImage,
  layers: readonly LayerPath[],
  options: RunImageOptions,
): ImageForContainer['owner'] {
  return {
    image: image.top,
    imageId: image.id,
    manifest: image.descriptor,
    imageName: nameOf(image, options.image),
    layers: layers.map(({ chain }) => chain),
    ...(options.ids === undefined ? {} : { ids: options.ids }),
  };
}

async function openImage(shop: Shop, use: ImageUse, options: RunImageOptions): Promise<OpenedImage> {
  const { port } = shop;
  const { image, usual, layers } = await ready(shop, options, use.warn);
  const runConfig = imageConfigOf(image.config.config);
  const volumes = (await use.volumes?.(runConfig)) ?? [];
  const place = makePlace(port, hostDisk(), shop.store.root, {
    id: use.id,
    name: options.name,
    ...ownerOf(image, layers, options),
    changes: use.upper ?? `${shop.store.root}/containers/${use.id}`,
    volumes,
    created: new Date().toISOString(),
  });
  // Before 6.5 that launcher may have layers mounted there, in its own mount namespace.
  const clean = takesLayersOneByOne(kernelVersion(port));
  const close = (channel?: Channel) => removePlace(port, place, clean ? channel : undefined);
  try {
    const stack = stackOf(shop.store.root, layers);
    const users = await usersOf(port, stackOf(shop.store.root, usual), place, use.channel);
    const autoIds = await reserveIds(port, shop.store.root, place, options.userns, users);
    return {
      config: runConfig,
      rootfs: `${place}/merged`,
      users,
      ...(autoIds === undefined ? {} : { autoIds }),
      needsIdMap: (spec) => isMapped(port, spec),
      root: (spec, mapper) =>
        rootOf(port, spec, { stack, place, upper: use.upper, cause: `image ${options.image}`, mapper }),
      view: async (player) => (layers.length === 0 ? undefined : await viewOf(player, port, stack, place)),
      explain: (error) =>
        explainOverlay(port, explainForeignImage(port, error, image, shop.host), use.upper ?? place),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function nameOf({ names, id }: StoredImage, asked: Bytes): string {
  try {
    const wanted = canonical(parseReference(asked));
    const found = names.find((name) => canonical(name) === wanted);
    if (found !== undefined) return familiar(found);
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
  }
  return names[0] === undefined ? id : familiar(names[0]);
}

/** The image by the policy. Throws CaissonError `ENOTFOUND`, `EPLATFORM`, and what a pull throws. */
export async function obtain(
  shop: Shop,
  options: Pick<RunImageOptions, 'image' | 'platform' | 'pull'>,
  platform: NamedPlatform,
): Promise<StoredImage> {
  const { image: text, pull } = options;
  const explicit = options.platform !== undefined;
  let missing = false;
  if (pull !== 'always') {
    const found = (await lookUpImage(shop.store, text, shop.host))?.image;
    const fitting = found === undefined || !explicit ? found : await forPlatform(shop.store, found, platform);
    if (fitting !== undefined) return fitting;
    if (pull === 'never') throw noSuchImage(text);
    missing = found === undefined;
  }
  // Before anything is told: a program that knows no registry begins anew as one that does.
  const { pullFromItsRegistry } = await import('./pull-missing.ts');
  if (missing) shop.reporter.line(`Unable to find image '${shownName(text)}' locally`);
  const reference = await pullFromItsRegistry(shop, text, { platform, explicit });
  const pulled = (await lookUpImage(shop.store, canonical(reference), shop.host))?.image;
  const fitting = pulled === undefined ? undefined : await forPlatform(shop.store, pulled, platform);
  const image = fitting ?? pulled;
  if (image === undefined) throw noSuchImage(text);
  return image;
}

function shownName(text: Bytes): string {
  return familiar(parseReference(text));
}

function stackOf(root: Bytes, layers: readonly LayerPath[]): LayerStack {
  const directory = `${root}/layers`;
  const rootOf = layers.findLastIndex(({ facts }) => facts.namesRoot === true);
  const names = layers.map(({ path }) => path.slice(directory.length + 1));
  return { directory, layers: names, ...(rootOf < 0 ? {} : { rootOf }) };
}

const CAUSE = '/process/user';

/**
 * passwd and group as the container will see them: by the launcher that will start it, where looking leaves nothing in it,
 * else by one of their own.
 */
export async function usersOf(
  port: Port,
  stack: LayerStack,
  directory: Bytes,
  starter: Channel,
): Promise<UserDatabase> {
  if (stack.layers.length === 0) return { passwd: '', group: '' };
  const ordinary = port.uid !== 0 && stack.layers.length > 1;
  if (leavesNothing(stack, kernelVersion(port), ordinary))
    return await usersByStarter(port, stack, directory, starter);
  const channel = await port.openChannel({ noInput: true });
  try {
    const player = new Player(port, channel);
    if (ordinary) await player.play(enterOwnUserNamespace(port.uid, port.gid, CAUSE));
    return await readUsers(port, channel, `/proc/self/fd/${await viewOf(player, port, stack, directory)}`);
  } finally {
    await channel.close();
  }
}

/** The launcher is afterwards as it was. */
async function usersByStarter(
  port: Port,
  stack: LayerStack,
  directory: Bytes,
  starter: Channel,
): Promise<UserDatabase> {
  const player = new Player(port, starter);
  const before = slot('directory', { reply: true });
  const { batch, answer } = await player.play([
    step('parent', 'directory', 'keep the working directory', CAUSE, [
      sys.openat(sys.AT_FDCWD, '.', O_PATH | O_CLOEXEC, 0, { result: before }),
    ]),
  ]);
  const kept = slotValue(batch, answer, before);
  const root = await viewOf(player, port, stack, directory);
  const users = await readUsers(port, starter, `/proc/self/fd/${root}`);
  const back = [sys.fchdir(kept), sys.close(kept), sys.close(root)];
  await player.play([step('parent', 'close', 'let the image go', CAUSE, back)]);
  return users;
}

/** The launcher's descriptor of what the layers show together. */
export async function viewOf(
  player: Player,
  port: Port,
  stack: LayerStack,
  directory: Bytes,
): Promise<number> {
  const kernel = kernelVersion(port);
  const userNamespace = port.uid !== 0 || inUserNamespace(port);
  const view = imageView({ stack, directory, kernel, userNamespace, cause: CAUSE });
  const { batch, answer } = await player.play(view.steps);
  return slotValue(batch, answer, view.root);
}

function kernelVersion(port: Port): readonly [number, number] {
  const [major = 0, minor = 0] = (port.readFile('/proc/sys/kernel/osrelease') ?? '').split('.').map(Number);
  return [major, minor];
}

export interface RootWish {
  readonly stack: LayerStack;
  readonly place: Bytes;
  readonly upper: Bytes | undefined;
  readonly cause: string;
  /** A process in a user namespace with the container's maps. */
  readonly mapper: number | undefined;
  /** The changes outlive the container; default: with `upper`. */
  readonly kept?: boolean;
}

/** Whether root starts it in a new user namespace: the files of the layers then have other owners. */
export function isMapped(port: Port, spec: Spec): boolean {
  return port.uid === 0 && ownUserNamespace(spec)?.path === undefined && ownUserNamespace(spec) !== undefined;
}

function ownUserNamespace(spec: Spec) {
  return (spec.linux?.namespaces ?? []).find(({ type }) => type === 'user');
}

export function rootOf(
  port: Port,
  spec: Spec,
  { stack, place, upper, cause, mapper, kept = upper !== undefined }: RootWish,
): ReturnType<OpenedImage['root']> {
  const namespaces = spec.linux?.namespaces ?? [];
  if (!namespaces.some(({ type }) => type === 'mount')) {
    throw new CaissonError('an image needs a mount namespace of its own: it would be mounted on the host', {
      code: 'EUSAGE',
      provenance: ['/linux/namespaces'],
    });
  }
  const own = ownUserNamespace(spec);
  if (own !== undefined && port.uid === 0) refuseNested(port);
  const directory = upper ?? place;
  if (upper !== undefined) port.makeDirectory(upper);
  const label = spec.linux?.mountLabel ?? '';
  const mapped = port.uid === 0 && own !== undefined;
  if (mapped && own.path === undefined) noteIds(port, place, idsOfSpec(spec));
  return ({ kernel, initialUserNamespace }: HostFacts) => {
    const image = {
      stack,
      directory,
      fresh: port.stat(`${directory}/upper`) === undefined,
      kept,
      kernel,
      userNamespace: (own !== undefined && !mapped) || !initialUserNamespace,
      label,
      cause: upper === undefined ? cause : `--upper ${upper}`,
    };
    if (!mapped) return imageRoot(image);
    return mappedRoot(image, own.path ?? `/proc/${mapper ?? port.pid}/ns/user`);
  };
}

function idsOfSpec({ linux: { uidMappings = [], gidMappings = [] } = {} }: Spec): ContainerIds {
  return containerIds({ uidMappings, gidMappings });
}

/** Only root of the first user namespace may map the ids of a mount (mount_setattr(2)). */
function refuseNested(port: Port): void {
  if (!inUserNamespace(port)) return;
  throw new CaissonError('root of a user namespace cannot map the ids of an image for another one', {
    code: 'EUNSUPPORTED',
    provenance: ['/linux/uidMappings'],
  });
}
