// Imports a root file system from a tar archive, as `docker export` makes it: `--rootfs-tar FILE`.

import type { Arch } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { compressionOf } from './compression.ts';
import { type ExtractOptions, Extractor, type ExtractSummary } from './extract.ts';
import { openTarget } from './extract-target.ts';
import type { Conversation } from './layer/conversation.ts';
import { TreeCalls } from './layer/tree-calls.ts';
import { TarReader } from './tar.ts';

export { enterOwnUserNamespace } from './user-namespace.ts';

export interface ImportOptions extends ExtractOptions {
  /** Whether the launcher may chroot(2) into the target, as a second wall: root may, of a user namespace too. */
  readonly confine: boolean;
}

/**
 * Unpacks the archive that `chunks` are into `target`, an existing host directory. The launcher at the other end of the
 * conversation is for this work only: it is left with its umask 0 and, when confined, in the target. Throws CaissonError
 * EARCHIVE where the archive is bad, ESYSCALL where a call fails; the target then holds a part of the tree.
 */
export async function importRootfsTar(
  conversation: Conversation,
  arch: Arch,
  chunks: AsyncIterable<Uint8Array>,
  target: Bytes,
  options: ImportOptions,
): Promise<ExtractSummary> {
  const reader = new TarReader();
  const opened = await openTarget(conversation, new TreeCalls(arch), target, {
    confine: options.confine,
    fresh: options.fresh === true,
  });
  const extractor = new Extractor(conversation, opened, arch, options);
  let first = true;
  for await (const chunk of chunks) {
    if (first && chunk.length > 0) refuseCompressed(chunk, options.cause);
    first &&= chunk.length === 0;
    await extractor.take(chunk, reader.push(chunk));
  }
  reader.finish();
  return await extractor.finish();
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
