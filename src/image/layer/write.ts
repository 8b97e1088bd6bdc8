// Writes a layer from a directory: through a launcher, as a reproducible archive, compressed, with its digests.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Digest, digestOf } from '../../spec/digest.ts';
import type { Pointer } from '../../spec/error.ts';
import { openTarget } from '../extract-target.ts';
import { type FileLauncher, openFileLauncher } from '../user-namespace.ts';
import { type ArchiveOptions, TreeArchive } from './archive.ts';
import { type CompressOptions, compress, inPieces, layerMediaType } from './compress.ts';
import { Conversation } from './conversation.ts';
import { TreeCalls } from './tree-calls.ts';
import { TreeReader } from './tree-reader.ts';

export interface WriteOptions extends ArchiveOptions, CompressOptions {
  readonly cause: Pointer;
  /** Called before each batch; may throw to end the work (signals). */
  readonly check?: () => void | Promise<void>;
  /** Opens the launcher that reads the files; default: one with the caller's ids. */
  readonly launcher?: () => Promise<FileLauncher>;
}

export interface WrittenLayer {
  readonly mediaType: string;
  /** Of the compressed bytes. */
  readonly digest: Digest;
  readonly size: number;
  /** Of the archive. */
  readonly diffId: Digest;
  readonly archiveSize: number;
  readonly members: number;
  /** Sockets that were left out. */
  readonly sockets: number;
}

const PIECE = 256 << 10;

/**
 * Reads the tree `directory` and gives its layer to `sink`, chunk by chunk. A file that several names of the tree have is
 * there once. Throws CaissonError ESYSCALL where a call fails, EUNSUPPORTED (archive.ts, compress.ts).
 */
export async function writeLayer(
  port: Port,
  directory: Bytes,
  options: WriteOptions,
  sink: (chunk: Uint8Array) => void | Promise<void>,
): Promise<WrittenLayer> {
  const { createHash } = await import('node:crypto');
  const launcher = await (options.launcher?.() ?? openFileLauncher(port, options.cause));
  try {
    const conversation = new Conversation(launcher.channel, options.cause, options.check);
    const calls = new TreeCalls(port.arch);
    const opened = await openTarget(conversation, calls, directory, { confine: true, fresh: false });
    const archive = new TreeArchive(new TreeReader(conversation, opened, port.arch), options);
    const diff = createHash('sha256');
    const blob = createHash('sha256');
    const sizes = { archive: 0, blob: 0 };
    async function* hashed(): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(archive.bytes(), PIECE)) {
        diff.update(piece);
        sizes.archive += piece.length;
        yield piece;
      }
    }
    for await (const chunk of compress(hashed(), options)) {
      blob.update(chunk);
      sizes.blob += chunk.length;
      await sink(chunk);
    }
    return {
      mediaType: layerMediaType(options.compression),
      digest: digestOf('sha256', blob.digest('hex')),
      size: sizes.blob,
      diffId: digestOf('sha256', diff.digest('hex')),
      archiveSize: sizes.archive,
      ...archive.summary,
    };
  } finally {
    await launcher.channel.close();
  }
}
