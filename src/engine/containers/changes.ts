// `diff`, `commit` and `export` of a container, whether it runs or not, and of an attached one while its command lives.

import type { DraftConfig } from '../../build/graph/image-draft.ts';
import { openTarget } from '../../image/extract-target.ts';
import { TreeArchive } from '../../image/layer/archive.ts';
import { type Change, treeChanges } from '../../image/layer/changes.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { ContainerRecord } from '../../runtime/state.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import {
  type CommitOptions,
  type CommitSubject,
  commitContainer,
  containerChanges,
} from '../images/commit.ts';
import { exportContainer } from '../images/export.ts';
import { firstProcess, isMountPoint } from '../images/running.ts';
import type { Shop } from '../images/shop.ts';
import { committedConfig } from './committed-config.ts';
import { type Engine, placeOf } from './engine.ts';
import { type FilesOwner, findOwner, runs } from './files.ts';
import type { ContainerView } from './find.ts';
import { withPlace } from './place-lock.ts';
import { settledView } from './settle.ts';

/** Opens the store for `work`; images are not loaded where a container is of none. */
export type InShop = <T>(work: (shop: Shop) => Promise<T>) => Promise<T>;

/** What a container has changed, as `docker diff` lists it. Throws CaissonError `ENOTFOUND`, `EUNSUPPORTED`. */
export async function changesByName(engine: Engine, text: Bytes, inShop: InShop): Promise<readonly Change[]> {
  return await withSubject(engine, text, async (subject, view) => {
    if (view?.file.root === 'host') return await hostChanges(engine, view);
    return await inShop((shop) => containerChanges(shop, subject));
  });
}

/** An image of a container's changes; the result is its ID. Throws CaissonError. */
export async function commitByName(
  engine: Engine,
  text: Bytes,
  options: CommitOptions,
  inShop: InShop,
): Promise<Digest> {
  return await withSubject(engine, text, async (subject, view) => {
    // One that does not run stands still, and so does one that is paused: it stays so.
    const pause = options.pause && subject.init !== undefined && view?.status !== 'paused';
    const configured =
      view === undefined ? {} : { configured: (image: DraftConfig) => committedConfig(image, view.file) };
    return await inShop((shop) =>
      commitContainer(shop, { ...subject, ...configured }, { ...options, pause }),
    );
  });
}

/** The files of a container without what is mounted in it, as an archive for `sink`. Throws CaissonError. */
export async function exportByName(
  engine: Engine,
  text: Bytes,
  sink: (archive: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const owner = await findOwner(engine, text);
  const record = runningRecord(owner);
  if (record !== undefined) return await sink(exportContainer(engine.port, record));
  await withPlace(engine, owner.id, async (held) => {
    const now = await settledView(engine, held, owner.id);
    if (runs(now) && now.record !== undefined) return await sink(exportContainer(engine.port, now.record));
    await sink(exportStopped(engine, now));
  });
}

/** The record of what runs, or is paused. */
function runningRecord(owner: FilesOwner): ContainerRecord | undefined {
  if (owner.kind === 'attached') return owner.record;
  return runs(owner.view) ? owner.view.record : undefined;
}

async function* exportStopped(engine: Engine, { file }: ContainerView): AsyncGenerator<Uint8Array> {
  const { port } = engine;
  const cause = `container ${file.id.slice(0, 12)}`;
  const { mountStopped } = await import('./stopped-root.ts');
  const { channel } = await mountStopped(engine, file, cause, false);
  try {
    const conversation = new Conversation(channel, cause);
    const how = { confine: true, fresh: false, writable: false };
    const target = await openTarget(conversation, new TreeCalls(port.arch), '.', how);
    yield* new TreeArchive(new TreeReader(conversation, target, port.arch), { form: 'plain' }).bytes();
  } finally {
    await channel.close();
  }
}

/** One that does not run is locked meanwhile: nobody starts it. */
async function withSubject<T>(
  engine: Engine,
  text: Bytes,
  work: (subject: CommitSubject, view: ContainerView | undefined) => Promise<T>,
): Promise<T> {
  const { port } = engine;
  const owner = await findOwner(engine, text);
  const view = owner.kind === 'kept' ? owner.view : undefined;
  const record = runningRecord(owner);
  if (record !== undefined) {
    const { id, cgroups } = record;
    return await work({ id, cgroups, init: firstProcess(port, record) }, view);
  }
  return await withPlace(engine, owner.id, async (held) => {
    const now = await settledView(engine, held, owner.id);
    const { record: its } = now;
    const running = runs(now) && its !== undefined;
    const subject = running
      ? { cgroups: its.cgroups, init: firstProcess(port, its) }
      : { cgroups: [], init: undefined };
    return await work({ id: owner.id, ...subject }, now);
  });
}

/**
 * Of this machine's own files: against `/`, and against each file system that has changes of its own. Throws
 * CaissonError `EUNSUPPORTED` for a user's, whose view is put together of many parts.
 */
async function hostChanges({ port, ...engine }: Engine, { file }: ContainerView): Promise<readonly Change[]> {
  if (port.uid !== 0) {
    throw new CaissonError(
      'the changes of a rootless container of host are in many parts: look at them in it',
      {
        code: 'EUNSUPPORTED',
        exitCode: 1,
      },
    );
  }
  const cause = `container ${file.id.slice(0, 12)}`;
  const changes = file.flags.upper ?? `${placeOf(engine, file.id)}/changes`;
  if (port.stat(`${changes}/upper`) === undefined) return [];
  const found = [...(await treeChanges(port, `${changes}/upper`, ['/'], { cause, exclude: isMountPoint }))];
  for (const name of port.list(`${changes}/mounts`)) {
    const path = `/${name.replaceAll('%2F', '/').replaceAll('%25', '%')}`;
    const below = await treeChanges(port, `${changes}/mounts/${name}`, [path], { cause });
    found.push(...below.map((change) => ({ ...change, path: `${path}${change.path}` })));
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
