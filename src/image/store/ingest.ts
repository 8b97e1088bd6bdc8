// Content on its way into the store: a partial file under lock, resumable, that becomes a blob when it is what it should be.
import type { DiskFile } from '../../host/disk.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { StoreContext } from './blobs.ts';
import { Hasher } from './durable.ts';
import type { StoreLock } from './kernel.ts';

/** Bytes that are read at once to hash what an earlier attempt has left. */
const CHUNK = 256 << 10;

/** Opens the partial file of a descriptor under its lock. Throws CaissonError `EDISK`. */
export async function ingest(context: StoreContext, descriptor: Descriptor): Promise<Ingest> {
  const { disk, kernel, paths } = context;
  const { digest } = descriptor;
  const leave = await context.gate.enter();
  const isThere = () => disk.stat(paths.blob(digest))?.type === 'file';
  let lock: StoreLock | undefined;
  let file: DiskFile | undefined;
  try {
    if (!isThere()) {
      lock = await kernel.lock(paths.ingestLock(digest), 'exclusive', {
        waiting: () => {
          context.waiting(`another caisson takes in ${digest}`);
        },
      });
    }
    // Whoever had the lock may have brought it.
    file = isThere() ? undefined : disk.update(paths.partial(digest), 0o644);
    const taken = new Ingest(context, descriptor, { leave, lock, file });
    if (file !== undefined) await taken.resume();
    return taken;
  } catch (error) {
    file?.close();
    await lock?.release();
    leave();
    throw error;
  }
}

interface Opened {
  readonly leave: () => void;
  readonly lock: StoreLock | undefined;
  /** Without one the blob is there already. */
  readonly file: DiskFile | undefined;
}

/** Content on its way. Ends with `commit` or `abort`; a program that is killed leaves its part for the next attempt. */
export class Ingest {
  readonly descriptor: Descriptor;
  private readonly context: StoreContext;
  private readonly opened: Opened;
  private hasher: Hasher;
  private taken = 0;
  private begunWith = 0;
  private ended = false;

  constructor(context: StoreContext, descriptor: Descriptor, opened: Opened) {
    this.context = context;
    this.descriptor = descriptor;
    this.opened = opened;
    this.hasher = new Hasher(splitDigest(descriptor.digest).algorithm);
    if (opened.file === undefined) this.taken = descriptor.size;
  }

  /** Bytes that are there already: what comes next begins here. The whole size when nothing is missing. */
  get offset(): number {
    return this.taken;
  }

  /** Whether the blob was in the store already: then nothing is on its way. */
  get isStored(): boolean {
    return this.opened.file === undefined;
  }

  /** What is there so far, from the beginning. Throws CaissonError `EDISK`. */
  async *soFar(): AsyncGenerator<Uint8Array, void, undefined> {
    const { file } = this.opened;
    for (let at = 0; file !== undefined && at < this.taken; ) {
      const buffer = new Uint8Array(Math.min(CHUNK, this.taken - at));
      const got = await file.read(buffer, at);
      if (got === 0) return;
      at += got;
      yield buffer.subarray(0, got);
    }
  }

  /** Whether a part is from an earlier attempt: when `commit` then finds another digest, a new attempt may succeed. */
  get resumed(): boolean {
    return this.begunWith > 0;
  }

  /** Hashes what is there. More than there should be is not a part of it. */
  async resume(): Promise<void> {
    const { file } = this.opened;
    if (file === undefined) return;
    const there = file.size();
    if (there > this.descriptor.size) file.truncate(0);
    else await this.hash(file, there);
    this.begunWith = this.taken;
  }

  private async hash(file: DiskFile, length: number): Promise<void> {
    const buffer = new Uint8Array(Math.min(CHUNK, length));
    while (this.taken < length) {
      const got = await file.read(buffer.subarray(0, length - this.taken), this.taken);
      if (got === 0) break;
      this.hasher.update(buffer.subarray(0, got));
      this.taken += got;
    }
  }

  /** Forgets what is there and begins at 0. Nothing happens when the blob is complete already. */
  async restart(): Promise<void> {
    const { file } = this.opened;
    if (file === undefined) return;
    file.truncate(0);
    this.hasher = new Hasher(splitDigest(this.descriptor.digest).algorithm);
    this.taken = 0;
    this.begunWith = 0;
  }

  /** Takes what comes next. Throws CaissonError `ESIZE` for more than was announced, `EDISK` when the disk is full. */
  async write(chunk: Uint8Array): Promise<void> {
    const { file } = this.opened;
    const { digest, size } = this.descriptor;
    if (this.ended) throw new Error(`the ingest of ${digest} has ended`);
    if (this.taken + chunk.length > size) {
      throw new CaissonError(`${digest}: more than the announced ${size} bytes came`, { code: 'ESIZE' });
    }
    if (chunk.length === 0) return;
    file?.write(chunk, this.taken);
    this.hasher.update(chunk);
    this.taken += chunk.length;
  }

  /**
   * Makes a blob of it, durably: content on the disk before the name, the name before this returns. Throws CaissonError
   * `ESIZE` when something is missing (what is there stays), `EDIGEST` when it is not what the digest says (it goes),
   * `ELAUNCHER` when the lock has been lost.
   */
  async commit(): Promise<void> {
    const { disk, kernel, paths } = this.context;
    const { digest, size } = this.descriptor;
    const { file } = this.opened;
    if (this.ended) throw new Error(`the ingest of ${digest} has ended`);
    if (file !== undefined) {
      if (this.taken < size) {
        throw new CaissonError(`${digest}: ${this.taken} of ${size} bytes came`, { code: 'ESIZE' });
      }
      const found = this.hasher.digest();
      if (found !== digest) {
        await this.abort(false);
        throw new CaissonError(`${digest}: the content that came is another, ${found}`, {
          code: 'EDIGEST',
          details: [
            'it was thrown away: the registry or the way from there is broken, or somebody deceives you',
          ],
        });
      }
      await this.sync(file);
      await kernel.check();
      disk.rename(paths.partial(digest), paths.blob(digest));
      await disk.syncDirectory(paths.blobDirectory(digest));
    }
    await this.end();
  }

  /** After a failure nobody knows which bytes are on the disk (fsync(2), and PostgreSQL's experience): they go. */
  private async sync(file: DiskFile): Promise<void> {
    try {
      await file.sync();
    } catch (error) {
      await this.abort(false);
      throw error;
    }
  }

  /** Stops. With `keep` the next attempt goes on from here. */
  async abort(keep: boolean): Promise<void> {
    if (this.ended) return;
    const { disk, paths } = this.context;
    // Without the lock the file may be another program's by now.
    if (!keep && this.opened.file !== undefined && (await this.isLocked()))
      disk.remove(paths.partial(this.descriptor.digest));
    await this.end();
  }

  private async isLocked(): Promise<boolean> {
    try {
      await this.context.kernel.check();
      return true;
    } catch {
      return false;
    }
  }

  private async end(): Promise<void> {
    this.ended = true;
    this.opened.file?.close();
    await this.opened.lock?.release();
    this.opened.leave();
  }
}
