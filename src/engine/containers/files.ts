// The files of a container, for commands that read or change them: a launcher inside its root, whatever state it is in.
import type { Port } from '../../host/port.ts';
import { openTarget, type Target } from '../../image/extract-target.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import type { FileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseBundleConfiguration } from '../../runtime/bundle.ts';
import type { ContainerRecord, ProcessIdentity } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { firstProcess } from '../images/running.ts';
import { type Engine, stateOf } from './engine.ts';
import { type ContainerView, findContainer, noSuchContainer, viewContainer } from './find.ts';
import { withPlace } from './place-lock.ts';
import { settledView } from './settle.ts';

/** A container that stays, or one that lives with its command and has a record alone. */
export type FilesOwner =
  | { readonly kind: 'kept'; readonly id: Bytes; readonly view: ContainerView }
  | { readonly kind: 'attached'; readonly id: Bytes; readonly record: ContainerRecord };

/** The root of a container, open in a launcher that has it as its own root. */
export interface ContainerFiles {
  readonly port: Port;
  readonly conversation: Conversation;
  /** Descriptors of the launcher. */
  readonly target: Target;
  readonly rights: Omit<FileLauncher, 'channel'>;
  /** Where kernel file systems are mounted, absolute: what they show are no files of the container. */
  readonly kernelMounts: readonly Bytes[];
  /** What a writer is told where the root may not be written to. */
  readonly readOnly: boolean;
}

/** By name, id or the beginning of one. Throws CaissonError `ENOTFOUND`. */
export async function findOwner(engine: Engine, text: Bytes): Promise<FilesOwner> {
  try {
    const view = findContainer(engine, text);
    return { kind: 'kept', id: view.file.id, view };
  } catch (error) {
    if (!(error instanceof CaissonError) || error.code !== 'ENOTFOUND') throw error;
    const { findContainer: findRecord } = await import('../cgroup-target.ts');
    const record = findRecord(engine.port, engine.stateRoot, text);
    if (record === undefined) throw noSuchContainer(text);
    return { kind: 'attached', id: record.id, record };
  }
}

/** Whether its first process runs, or is paused. */
export function runs({ pid, exit }: ContainerView): boolean {
  return pid !== 0 && exit === undefined;
}

/**
 * Opens the files of a container for `work`: through its first process while it runs, mounted for this command where it
 * does not, and then under its lock. Throws CaissonError.
 */
export async function withContainerFiles<T>(
  engine: Engine,
  owner: FilesOwner,
  work: (files: ContainerFiles) => Promise<T>,
): Promise<T> {
  const { port } = engine;
  const cause = `container ${owner.id.slice(0, 12)}`;
  if (owner.kind === 'attached')
    return await inRunning(engine, owner.id, firstProcess(port, owner.record), work);
  if (runs(owner.view)) return await inRunning(engine, owner.id, initOf(owner.view), work);
  return await withPlace(engine, owner.id, async (held) => {
    const now = await settledView(engine, held, owner.id);
    if (runs(now)) return await inRunning(engine, owner.id, initOf(now), work);
    const { mountStopped } = await import('./stopped-root.ts');
    const launcher = await mountStopped(engine, now.file, cause);
    return await opened(
      port,
      launcher,
      cause,
      { kernelMounts: [], readOnly: now.file.flags.readOnly === true },
      work,
    );
  });
}

function initOf(view: ContainerView): ProcessIdentity {
  const init = view.record?.oci.init;
  if (init !== undefined) return init;
  throw new CaissonError(`container ${view.file.id} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
}

async function inRunning<T>(
  engine: Engine,
  id: Bytes,
  init: ProcessIdentity,
  work: (files: ContainerFiles) => Promise<T>,
): Promise<T> {
  const cause = `container ${id.slice(0, 12)}`;
  const { enterRunning } = await import('./running-root.ts');
  const launcher = await enterRunning(engine.port, init, cause);
  const kernelMounts = kernelMountsOf(specOfRun(engine, id));
  return await opened(engine.port, launcher, cause, { kernelMounts, readOnly: false }, work);
}

async function opened<T>(
  port: Port,
  { channel, ...rights }: FileLauncher,
  cause: Bytes,
  facts: Pick<ContainerFiles, 'kernelMounts' | 'readOnly'>,
  work: (files: ContainerFiles) => Promise<T>,
): Promise<T> {
  try {
    const conversation = new Conversation(channel, cause);
    // As its own root: a second wall behind RESOLVE_IN_ROOT.
    const how = { confine: true, fresh: false };
    const target = await openTarget(conversation, new TreeCalls(port.arch), '.', how);
    return await work({ port, conversation, target, rights, ...facts });
  } finally {
    await channel.close();
  }
}

/** The configuration of the present run; undefined where it is none that can be read. */
function specOfRun(engine: Engine, id: Bytes): Spec | undefined {
  const path = `${stateOf(engine, id)}/config.json`;
  const text = engine.port.readFile(path);
  if (text === undefined) return undefined;
  try {
    return parseBundleConfiguration(text, path).spec;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

const KERNEL = ['proc', 'sysfs', 'cgroup', 'cgroup2', 'devpts', 'mqueue'];

function kernelMountsOf(spec: Spec | undefined): Bytes[] {
  if (spec === undefined) return ['/proc', '/sys', '/dev'];
  return (spec.mounts ?? []).flatMap(({ type = '', destination }) =>
    KERNEL.includes(type) || destination === '/dev' ? [destination] : [],
  );
}

/** As `viewContainer`, for a container that was found before. Throws CaissonError `ENOTFOUND`. */
export function viewAgain(engine: Engine, id: Bytes): ContainerView {
  const view = viewContainer(engine, id);
  if (view === undefined) throw noSuchContainer(id);
  return view;
}
