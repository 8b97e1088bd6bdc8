// A new volume begins with what the image has at its place: copied once, by the first container, and never into a volume
// that has something in it (CVE-2020-1726).
//
// The copy is made beside the volume's directory and renamed over it: rename(2) replaces an empty directory only, so
// that the kernel has the last word, and a crash leaves an empty volume. A directory of the host (o=bind) has other
// people's rights and may lie on another file system: there the copy is made in place, noted before it begins.
import { openTarget } from '../../image/extract-target.ts';
import { tolerating } from '../../image/layer/batch-writer.ts';
import { Conversation, slotOf } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { removeTree } from '../../image/store/tree-removal.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { F_DUPFD_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { call, number } from '../../plan/call.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { step } from '../../plan/step.ts';
import { Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import { changeTree } from './change-tree.ts';
import { underLock } from './lock.ts';
import { TreeCopy } from './tree-copy.ts';
import type { VolumeStore } from './volume-store.ts';

/** Files that a container begins with: their root, as a descriptor of the launcher behind the player. */
export interface CopySource {
  view(player: Player): Promise<number | undefined>;
}

export interface CopyUp {
  readonly name: Bytes;
  /** Where the container has the volume: an absolute path of its root, and of an image: untrusted. */
  readonly destination: Bytes;
  /** A directory of the host that the volume is; absent for one of its own. */
  readonly device?: Bytes;
  /** Absent: the volume begins empty. */
  readonly source: CopySource | undefined;
  /** The SELinux label of a new volume; absent where there is none. */
  readonly label?: Bytes;
  /** Whether the disk is waited for. */
  readonly durable: boolean;
  /** Called before each batch; may throw to end the work. */
  readonly check?: () => Promise<void>;
}

const NOTHING = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP);

/**
 * Makes the volume ready for its first container; nothing happens for another one. Of several that come at once one
 * copies, and the others wait for it. `player`: a launcher that holds the lock. Throws CaissonError `ESYSCALL` where a
 * file cannot be copied: the volume is then as new as before.
 */
export async function copyUp(store: VolumeStore, player: Player, wanted: CopyUp): Promise<void> {
  const directory = store.directoryOf(wanted.name);
  const fresh = `${directory}/fresh`;
  if (store.disk.stat(fresh) === undefined) return;
  await underLock(store.port, player, `${directory}/lock`, async () => {
    if (store.disk.stat(fresh) === undefined) return;
    if (wanted.source !== undefined) {
      if (wanted.device === undefined) await copyBeside(store, wanted, directory);
      else await copyInPlace(store, wanted, directory, wanted.device);
    }
    // A file system label that containers may use, where files have labels (SELinux), as podman's new volumes have it.
    if (wanted.label !== undefined && wanted.device === undefined)
      await changeTree(
        store.port,
        store.dataOf(wanted.name),
        { kind: 'label', label: wanted.label },
        'default: SELinux',
      );
    store.disk.remove(fresh);
    if (wanted.durable) await store.disk.syncDirectory(directory);
  });
}

async function copyBeside(store: VolumeStore, wanted: CopyUp, directory: Bytes): Promise<void> {
  const { port, disk } = store;
  const [data, copy] = [`${directory}/_data`, `${directory}/_copy`];
  await withFiles(store, wanted, async (player, launcher) => {
    const remove = () => removeTree(player, copy, `.gone-${store.unique()}`);
    // What a copy has left that was killed.
    await remove();
    // Restored, or another's: what is there stays.
    if ((port.entries(data) ?? []).length > 0) return;
    const from = await openSource(store, player, launcher, wanted);
    if (from === undefined) return;
    disk.makeDirectory(copy, 0o700);
    try {
      await copyTree(store, launcher, from, copy);
      if (wanted.durable) await syncFiles(player, from.conversation, store, copy);
      disk.rename(copy, data);
    } catch (error) {
      await remove();
      const isPopulated =
        error instanceof CaissonError &&
        error.syscall === 'rename' &&
        (error.errno === ERRNO.ENOTEMPTY || error.errno === ERRNO.EEXIST);
      if (!isPopulated) throw error;
    }
  });
}

async function copyInPlace(
  store: VolumeStore,
  wanted: CopyUp,
  directory: Bytes,
  device: Bytes,
): Promise<void> {
  const { port, disk } = store;
  const note = `${directory}/copying`;
  if ((port.entries(device) ?? []).length > 0) {
    if (disk.stat(note) === undefined) return;
    throw new CaissonError(
      `volume ${wanted.name}: a container was killed while ${device} was filled with the files of its image`,
      { code: 'EVOLUME', details: [`empty ${device}, or remove ${note} to go on with what is there`] },
    );
  }
  await withFiles(store, wanted, async (player, launcher) => {
    const from = await openSource(store, player, launcher, wanted);
    if (from === undefined) return;
    if (disk.stat(note) === undefined) disk.create(note, 0o600).close();
    if (wanted.durable) await disk.syncDirectory(directory);
    await copyTree(store, launcher, from, device);
    if (wanted.durable) await syncFiles(player, from.conversation, store, device);
  });
  disk.remove(note);
}

type Launcher = Awaited<ReturnType<typeof openFileLauncher>>;

async function withFiles(
  store: VolumeStore,
  { name }: CopyUp,
  work: (player: Player, launcher: Launcher) => Promise<void>,
): Promise<void> {
  const launcher = await openFileLauncher(store.port, `volume ${name}`);
  try {
    await work(new Player(store.port, launcher.channel), launcher);
  } finally {
    await launcher.channel.close();
  }
}

interface OpenSource {
  readonly conversation: Conversation;
  readonly root: number;
  readonly spare: number;
}

/** The directory of the image at the volume's place, looked up inside its root; undefined where there is none. */
async function openSource(
  store: VolumeStore,
  player: Player,
  launcher: Launcher,
  { name, destination, source, check }: CopyUp,
): Promise<OpenSource | undefined> {
  const view = await source?.view(player);
  if (view === undefined) return undefined;
  const conversation = new Conversation(launcher.channel, `volume ${name}`, check);
  const calls = new TreeCalls(store.port.arch);
  const [found, spare] = [1, 2];
  calls.reset();
  calls.about(`look for ${destination} in the image`);
  const path = destination.replace(/^\/+/, '') || '.';
  const flags = O_RDONLY | calls.open.O_DIRECTORY;
  calls.openat2(view, path, flags, IN_ROOT, { result: found, tolerate: NOTHING });
  calls.fcntl(view, F_DUPFD_CLOEXEC, 0, { result: spare });
  const data = await conversation.ask(calls);
  const root = slotOf(data, found);
  return root < 0 ? undefined : { conversation, root, spare: slotOf(data, spare) };
}

async function copyTree(
  { port }: VolumeStore,
  launcher: Launcher,
  { conversation, ...from }: OpenSource,
  target: Bytes,
): Promise<void> {
  const to = await openTarget(conversation, new TreeCalls(port.arch), target, {
    confine: false,
    fresh: true,
  });
  await new TreeCopy(conversation, { from, to }, port.arch, launcher).all();
}

/** Everything of the volume's file system that is not on the disk yet (syncfs(2)). */
async function syncFiles(
  player: Player,
  conversation: Conversation,
  { port }: VolumeStore,
  target: Bytes,
): Promise<void> {
  const { root } = await openTarget(conversation, new TreeCalls(port.arch), target, {
    confine: false,
    fresh: false,
    writable: false,
  });
  const calls = new TreeCalls(port.arch);
  calls.reset();
  calls.about(`write ${target} to the disk`);
  calls.openat(root, '.', O_RDONLY | calls.open.O_DIRECTORY, 0, { result: 1 });
  calls.dup3(~1, root);
  await conversation.ask(calls);
  await player.play([
    step('parent', 'sync', `write ${target} to the disk`, 'default: volumes', [
      call('syncfs', [number(root)]),
    ]),
  ]);
}
