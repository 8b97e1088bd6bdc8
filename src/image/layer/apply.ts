// Applies a layer: from its compressed bytes to files in a directory, with the digest of what was in between.
//
// image-spec, layer.md. Bytes are not trusted: the digest of the compressed ones is the caller's to verify, and what is
// unpacked stays invisible until both digests are known to be right.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Digest, digestOf } from '../../spec/digest.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import { Extractor } from '../extract.ts';
import type { ExtractOptions } from '../extract-options.ts';
import { openTarget } from '../extract-target.ts';
import { TarReader } from '../tar.ts';
import { type FileLauncher, openFileLauncher } from '../user-namespace.ts';
import { Conversation } from './conversation.ts';
import { decompress } from './decompress.ts';
import { TreeCalls } from './tree-calls.ts';

/** What `applyLayer` makes of a layer. */
export interface ApplyOptions {
  /** For errors: which layer of which image. */
  readonly cause: Pointer;
  /**
   * `overlay`: the target is a new, empty directory of caisson's, and becomes a layer of overlayfs, with its marks for
   * what is removed. `merged`: the target has what the layers below have made, and becomes the whole tree.
   */
  readonly form: 'overlay' | 'merged';
  /** Called with the bytes of the archive so far, uncompressed, now and then. */
  readonly progress?: (bytes: number) => void;
  /** Called before each batch; may throw to end the work (signals). */
  readonly check?: () => void | Promise<void>;
  /** Bytes of the archive, uncompressed; default 1 TiB. */
  readonly sizeLimit?: number;
  /** How many times as long as the compressed bytes it may be, once it has more than `ratioFrom`; default 500. */
  readonly ratioLimit?: number;
  /** Bytes; default 4 GiB. */
  readonly ratioFrom?: number;
  readonly memberLimit?: number;
  readonly nameLimit?: number;
  /** Opens the launcher that makes the files; default: one with the caller's ids. */
  readonly launcher?: () => Promise<FileLauncher>;
}

export interface AppliedLayer {
  /** The digest of the uncompressed archive, to its last byte (image-spec, config.md, DiffID). */
  readonly diffId: Digest;
  /** Bytes of the uncompressed archive. */
  readonly size: number;
  readonly members: number;
  /** Bytes of the files, holes included. */
  readonly fileBytes: number;
  readonly whiteouts: number;
  /** Nothing of the layers below is to be seen: overlayfs does not heed the mark on the topmost directory itself. */
  readonly opaqueRoot: boolean;
  /** The archive has the root directory; without that its owner and mode are those of the layer below. */
  readonly namesRoot: boolean;
  /** `squashed`: there are no subordinate ids, and all files belong to the user. */
  readonly owners: 'kept' | 'squashed';
  /** What was left out: device nodes that a user may not make, extended attributes that belong to the host. */
  readonly omitted: { readonly devices: number; readonly xattrs: number };
  /** Overlay's marks are `user.overlay.*` and not `trusted.overlay.*`. */
  readonly userxattr: boolean;
}

const RATIO_FROM = 4 * 2 ** 30;
/** What may follow the end of an archive: tar fills up its last record. */
const TRAILER_LIMIT = 64 << 20;

/**
 * Unpacks a layer in a launcher of its own. Throws CaissonError EMEDIATYPE, EARCHIVE for what is no layer that can be
 * trusted, ESYSCALL where a call fails (ENOSPC); the target then holds a part of it.
 */
export async function applyLayer(
  port: Port,
  content: AsyncIterable<Uint8Array>,
  mediaType: string,
  target: Bytes,
  options: ApplyOptions,
): Promise<AppliedLayer> {
  const { createHash } = await import('node:crypto');
  const launcher = await (options.launcher?.() ?? openFileLauncher(port, options.cause));
  try {
    const conversation = new Conversation(launcher.channel, options.cause, options.check);
    const hash = createHash('sha256');
    const bounds = new Bounds(options);
    const counted = bounds.compressed(content);
    const extractor = await openExtractor(port, conversation, launcher, target, options);
    const reader = new TarReader();
    for await (const chunk of decompress(counted, mediaType)) {
      bounds.take(chunk.length, reader.hasEnded);
      await extractor.take(chunk, reader.push(chunk));
      // While the launcher plays.
      hash.update(chunk);
    }
    reader.finish();
    const { members, bytes, whiteouts, devices, xattrs } = await extractor.finish();
    return {
      diffId: digestOf('sha256', hash.digest('hex')),
      size: bounds.size,
      members,
      fileBytes: bytes,
      whiteouts,
      opaqueRoot: extractor.rootDirectory.opaque,
      namesRoot: extractor.rootDirectory.named,
      owners: launcher.owners.kind === 'keep' ? 'kept' : 'squashed',
      omitted: { devices, xattrs },
      userxattr: launcher.userxattr,
    };
  } finally {
    await launcher.channel.close();
  }
}

async function openExtractor(
  port: Port,
  conversation: Conversation,
  launcher: FileLauncher,
  path: Bytes,
  options: ApplyOptions,
): Promise<Extractor> {
  const overlay = options.form === 'overlay';
  const { owners, devices, userxattr } = launcher;
  const extract: ExtractOptions = {
    cause: options.cause,
    owners,
    devices,
    whiteouts: overlay ? 'overlay' : 'apply',
    userxattr,
    fresh: overlay,
    replace: true,
    ...(options.memberLimit === undefined ? {} : { memberLimit: options.memberLimit }),
    ...(options.nameLimit === undefined ? {} : { nameLimit: options.nameLimit }),
  };
  const calls = new TreeCalls(port.arch);
  const opened = await openTarget(conversation, calls, path, { confine: true, fresh: overlay });
  return new Extractor(conversation, opened, port.arch, extract);
}

/** Counts what comes in and what it becomes, and ends what a bomb would make of it. */
class Bounds {
  size = 0;
  private read = 0;
  private trailer = 0;
  private readonly options: ApplyOptions;

  constructor(options: ApplyOptions) {
    this.options = options;
  }

  async *compressed(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.read += chunk.length;
      yield chunk;
    }
  }

  take(length: number, archiveHasEnded: boolean): void {
    const { sizeLimit = 2 ** 40, ratioLimit = 500, ratioFrom = RATIO_FROM, progress, cause } = this.options;
    this.size += length;
    if (archiveHasEnded) this.trailer += length;
    const why =
      this.size > sizeLimit
        ? `more than ${sizeLimit} bytes are in it`
        : this.size > ratioFrom && this.size > ratioLimit * this.read
          ? `${this.read} bytes become more than ${this.size}`
          : this.trailer > TRAILER_LIMIT
            ? `more than ${TRAILER_LIMIT} bytes follow its end`
            : undefined;
    if (why !== undefined)
      throw new CaissonError(`the layer is not unpacked: ${why}`, { code: 'EARCHIVE', provenance: [cause] });
    progress?.(this.size);
  }
}
