// `export`: the files of a running container as an archive.
//
// A launcher joins the container's mount namespace, and its user namespace where it has one, and clones the mount of the
// root alone: what is mounted below is left out, as docker leaves out volumes, and the clone is the launcher's own. It
// then changes into it, so that nothing in the container leads outside.
import type { Port } from '../../host/port.ts';
import { openTarget } from '../../image/extract-target.ts';
import { TreeArchive } from '../../image/layer/archive.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/constants/mount.ts';
import { CLONE_NEWNS, CLONE_NEWUSER, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import { call, number, slot } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { type ContainerRecord, isAlive } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { firstProcess } from './running.ts';

/** Throws CaissonError `EUNSUPPORTED` for a container that has the host's mounts. */
export async function* exportContainer(port: Port, record: ContainerRecord): AsyncGenerator<Uint8Array> {
  const cause = `container ${record.id.slice(0, 12)}`;
  const channel = await port.openChannel({ noInput: true });
  try {
    await enterRoot(port, new Player(port, channel), record, cause);
    const conversation = new Conversation(channel, cause);
    const opened = await openTarget(conversation, new TreeCalls(port.arch), '.', {
      confine: true,
      fresh: false,
      writable: false,
    });
    const reader = new TreeReader(conversation, opened, port.arch);
    yield* new TreeArchive(reader, { form: 'plain' }).bytes();
  } finally {
    await channel.close();
  }
}

async function enterRoot(port: Port, player: Player, record: ContainerRecord, cause: Bytes): Promise<void> {
  const init = firstProcess(port, record);
  const differs = (name: Bytes) =>
    port.readLink?.(`/proc/${init.pid}/ns/${name}`) !== port.readLink?.(`/proc/self/ns/${name}`);
  if (!differs('mnt')) {
    throw new CaissonError(`${cause} has the mounts of the host: there is no root of its own to export`, {
      code: 'EUNSUPPORTED',
      exitCode: 1,
    });
  }
  const pidfd = slot('pidfd', { reply: true });
  const opened = await player.play([
    step('parent', 'open-process', `open process ${init.pid}`, cause, [
      call('pidfd_open', [number(init.pid), number(0)], { result: pidfd }),
    ]),
  ]);
  // The descriptor is of the process that was meant, for that is alive still.
  if (!isAlive(port, init))
    throw new CaissonError(`${cause} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
  const flags = CLONE_NEWNS | (differs('user') ? CLONE_NEWUSER : 0);
  const root = slot('root');
  await player.play([
    step('parent', 'join', 'join its mounts, and take its root without what is mounted below', cause, [
      // Nobody in the container can trace it (CVE-2016-9962).
      sys.prctl(PR_SET_DUMPABLE, 0),
      sys.setns(slotValue(opened.batch, opened.answer, pidfd), flags),
      sys.openTree(sys.AT_FDCWD, '/', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: root }),
      sys.fchdir(root),
    ]),
  ]);
}
