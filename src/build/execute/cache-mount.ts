// Directories of `--mount=type=cache`: kept between builds, by their id, shared or one at a time.
import type { Bytes } from '../../linux/bytes.ts';
import { utf8ToBytes } from '../../linux/bytes.ts';
import { call, number, string } from '../../plan/call.ts';
import * as sys from '../../plan/syscalls.ts';
import { textKey } from '../cache/key.ts';
import type { RunMount } from '../dockerfile/run-mount.ts';
import { absolutePath } from '../ignore/clean-path.ts';
import { copyFiles } from '../tree/copy.ts';
import { makeDirectories, type Owner } from '../tree/directories.ts';
import { openBelow, realPath } from '../tree/resolve.ts';
import { walk } from '../tree/walk.ts';
import { openLayers } from './host-stage.ts';
import type { ResultLayer } from './result.ts';
import type { MountContext } from './run-mounts.ts';

/** Private caches of one id. */
const MOST_PRIVATE = 64;

/**
 * The directory of a cache, made where it is not there: owner and mode as the mount says, content from `layers`. `locked`
 * waits for others, `private` takes one that nobody uses. `release` when the command has ended.
 */
export async function cacheDirectory(
  context: MountContext,
  mount: RunMount,
  id: string,
  layers: readonly ResultLayer[],
): Promise<{ directory: Bytes; release: () => Promise<void> }> {
  const { environment } = context;
  const name = textKey(JSON.stringify([id, mount.uid ?? 0, mount.gid ?? 0]));
  const base = `${environment.session.places.caches}/${name}`;
  if (mount.sharing === 'shared') {
    // Only while it is made, so that nobody sees half of it.
    const lock = await environment.kernel.lock(`${base}.lock`, 'exclusive');
    await make(context, mount, base, layers);
    await lock?.release();
    return { directory: base, release: async () => undefined };
  }
  if (mount.sharing === 'locked') {
    const lock = await environment.kernel.lock(`${base}.lock`, 'exclusive');
    await make(context, mount, base, layers);
    return { directory: base, release: async () => await lock?.release() };
  }
  for (let number = 0; number < MOST_PRIVATE; number++) {
    const path = number === 0 ? base : `${base}-${number}`;
    const lock = await environment.kernel.lock(`${path}.lock`, 'exclusive', { patience: 0 });
    if (lock === undefined) continue;
    await make(context, mount, path, layers);
    return { directory: path, release: async () => await lock.release() };
  }
  const room = environment.session.room('cache');
  return { directory: room, release: async () => undefined };
}

async function make(
  { environment, worker }: MountContext,
  mount: RunMount,
  path: Bytes,
  layers: readonly ResultLayer[],
): Promise<void> {
  const { disk } = environment;
  if (disk.stat(path) !== undefined) return;
  const { places } = environment.session;
  const unfinished = environment.session.room('cache');
  const top = await worker.openDirectory(unfinished);
  const owner: Owner = { uid: mount.uid ?? 0, gid: mount.gid ?? 0 };
  const directory = await makeDirectories(worker, top, 'data', mount.mode ?? 0o755, owner);
  if (layers.length > 0) await fill({ environment, worker }, mount, layers, directory);
  await worker.shut(directory, top);
  // By the worker: a directory of a subordinate user cannot be moved by its user.
  await worker.play(`keep the cache ${path}`, [
    call('renameat2', [
      number(sys.AT_FDCWD),
      string(`${unfinished}/data`),
      number(sys.AT_FDCWD),
      string(path),
      number(0),
    ]),
  ]);
  await disk.syncDirectory(places.caches);
}

async function fill(
  { environment, worker }: Pick<MountContext, 'environment' | 'worker'>,
  mount: RunMount,
  layers: readonly ResultLayer[],
  to: number,
): Promise<void> {
  const view = await openLayers(environment, worker, layers);
  const base = await realPath(worker, view.root, utf8ToBytes(absolutePath(mount.source)));
  if (base !== undefined) {
    const from = await openBelow(worker, view.root, base);
    const items = (await walk(worker, from)).map((entry) => ({ entry, to: entry.path }));
    await copyFiles(worker, items, { from, to, owner: undefined, mode: '' });
    await worker.shut(from);
  }
  await view.close();
}
