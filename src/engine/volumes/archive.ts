// `volume export` and `volume import`: the files of a volume as an archive, and back (podman's).
//
// A launcher has the volume as its root directory: what is in a volume is a container's word, and it may change while it
// is read (CVE-2023-0778) and hold links that lead anywhere (CVE-2025-11395).
import { Extractor } from '../../image/extract.ts';
import { openTarget } from '../../image/extract-target.ts';
import { TreeArchive } from '../../image/layer/archive.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import { TarReader } from '../../image/tar.ts';
import { type FileLauncher, openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { backingOf } from './driver-options.ts';
import type { PlacedVolume } from './volume.ts';
import type { VolumeStore } from './volume-store.ts';

/** The archive, sorted by name; its first member is the volume's own directory. Throws CaissonError `ESYSCALL`. */
export async function* exportVolume(store: VolumeStore, volume: PlacedVolume): AsyncGenerator<Uint8Array> {
  const { arch } = store.port;
  const { launcher, conversation, directory } = await enter(store, volume);
  try {
    const calls = new TreeCalls(arch);
    const tree = await openTarget(conversation, calls, directory, {
      confine: true,
      fresh: false,
      writable: false,
    });
    const reader = new TreeReader(conversation, tree, arch);
    yield* new TreeArchive(reader, { form: 'plain', withRoot: true }).bytes();
  } finally {
    await launcher.channel.close();
  }
}

/**
 * Unpacks an archive over what is in the volume: files that are there give way to those of the same name. Throws
 * CaissonError `EARCHIVE` where it is none, `ESYSCALL` where a call fails; the volume then has a part of it.
 */
export async function importVolume(
  store: VolumeStore,
  volume: PlacedVolume,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { arch } = store.port;
  const { launcher, conversation, directory } = await enter(store, volume);
  try {
    const calls = new TreeCalls(arch);
    const tree = await openTarget(conversation, calls, directory, { confine: true, fresh: false });
    const { owners, devices } = launcher;
    const options = { cause: `volume ${volume.name}`, owners, devices, replace: true };
    const extractor = new Extractor(conversation, tree, arch, options);
    const reader = new TarReader();
    for await (const chunk of content) await extractor.take(chunk, reader.push(chunk));
    reader.finish();
    await extractor.finish();
  } finally {
    await launcher.channel.close();
  }
  // What was restored is what it begins with.
  store.disk.remove(`${store.directoryOf(volume.name)}/fresh`);
}

async function enter(
  store: VolumeStore,
  { name, options, mountpoint }: PlacedVolume,
): Promise<{
  readonly launcher: FileLauncher;
  readonly conversation: Conversation;
  readonly directory: Bytes;
}> {
  const backing = backingOf(options);
  if (backing.kind === 'tmpfs') {
    throw new CaissonError(`volume ${name} is a tmpfs: it has files only inside of its container`, {
      code: 'EUNSUPPORTED',
      exitCode: 1,
    });
  }
  const launcher = await openFileLauncher(store.port, `volume ${name}`);
  const directory = backing.kind === 'bind' ? backing.device : mountpoint;
  return { launcher, conversation: new Conversation(launcher.channel, `volume ${name}`), directory };
}
