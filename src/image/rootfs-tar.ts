// Imports a root file system from a tar archive, as `docker export` makes it: `--rootfs-tar FILE`.

import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_PATH, O_WRONLY } from '../linux/constants/open.ts';
import { CLONE_NEWNS, CLONE_NEWUSER } from '../linux/constants/process.ts';
import { type Call, call, number, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import { compressionOf } from './compression.ts';
import { type BatchPlayer, type ExtractOptions, Extractor, type ExtractSummary } from './extract.ts';
import { TarReader } from './tar.ts';

export interface ImportOptions extends ExtractOptions {
  /** Whether the launcher may chroot(2) into the target, as a second wall: root may, of a user namespace too. */
  readonly confine: boolean;
}

/**
 * Unpacks the archive that `chunks` are into `target`, an existing host directory. The player's launcher is for this
 * work only: it is left with its umask 0 and, when confined, in the target. Throws CaissonError EARCHIVE where the
 * archive is bad, and what the player throws where a call fails; the target then holds a part of the tree.
 */
export async function importRootfsTar(
  player: BatchPlayer,
  chunks: AsyncIterable<Uint8Array>,
  target: Bytes,
  options: ImportOptions,
): Promise<ExtractSummary> {
  const reader = new TarReader();
  const root = slot('root', { reply: true });
  const opened = await player.play([
    step('parent', 'open-target', `open ${target}`, options.cause, openTarget(root, target, options.confine)),
  ]);
  const extractor = new Extractor(player, opened.value(root), options);
  let first = true;
  for await (const chunk of chunks) {
    if (first && chunk.length > 0) refuseCompressed(chunk, options.cause);
    first &&= chunk.length === 0;
    for (const event of reader.push(chunk)) await extractor.take(event);
  }
  reader.finish();
  return await extractor.finish();
}

const { O_DIRECTORY } = openFlags('x86_64');

function openTarget(root: ReturnType<typeof slot>, target: Bytes, confine: boolean): Call[] {
  const calls = [
    sys.openat(sys.AT_FDCWD, target, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: root }),
    // Modes are the archive's, not the caller's.
    sys.umask(0),
  ];
  return confine ? [...calls, sys.fchdir(root), sys.chroot('.')] : calls;
}

function refuseCompressed(start: Uint8Array, cause: string): void {
  const compression = compressionOf(start);
  if (compression === undefined) return;
  const { name, program } = compression;
  throw new CaissonError(
    `this is a ${name} file, and --rootfs-tar takes a plain tar archive: unpack it first (${program})`,
    {
      code: 'EARCHIVE',
      provenance: [cause],
    },
  );
}

/**
 * Steps that make an ordinary user's launcher root of a user namespace in which only that user exists, before an
 * import with `owners: squash` and `confine`. The launcher is single-threaded, so it may unshare (unshare(2)).
 */
export function enterOwnUserNamespace(uid: number, gid: number, cause: string): Step[] {
  return [
    step('parent', 'own-user-namespace', 'become root of a user namespace of one user', cause, [
      sys.unshare(CLONE_NEWUSER | CLONE_NEWNS),
      ...writeOwn('setgroups', 'deny'),
      ...writeOwn('uid_map', `0 ${uid} 1\n`),
      ...writeOwn('gid_map', `0 ${gid} 1\n`),
      call('setresgid', [number(0), number(0), number(0)]),
      call('setresuid', [number(0), number(0), number(0)]),
    ]),
  ];
}

function writeOwn(name: Bytes, content: Bytes): Call[] {
  const file = slot(name);
  return [
    sys.openat(sys.AT_FDCWD, `/proc/self/${name}`, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, content),
    sys.close(file),
  ];
}
