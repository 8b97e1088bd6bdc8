// syncfs(2) for many at once: begun early, while more is written, and shared by all who wait for one.
import type { Bytes } from '../../linux/bytes.ts';
import type { StoreKernel } from './kernel.ts';

/** So many bytes are written to the disk while more come: what is left at the end takes less time then. */
const STEP = 48 << 20;

/** The file system of a store. */
export class Written {
  private readonly kernel: Pick<StoreKernel, 'syncFileSystem'>;
  private readonly directory: Bytes;
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private pending = 0;
  private failures: unknown[] = [];

  /** `directory` is on the file system, and stays. */
  constructor(kernel: Pick<StoreKernel, 'syncFileSystem'>, directory: Bytes) {
    this.kernel = kernel;
    this.directory = directory;
  }

  /**
   * To be asked for before anything is written. What it gives resolves when all that was written before that call is on
   * the disk. The kernel tells of a failure once (errseq_t): it may have told another one's call, and all who were
   * writing throw it then.
   */
  begin(): () => Promise<void> {
    const before = this.failures.length;
    return async () => {
      await this.all();
      if (this.failures.length > before) throw this.failures[before];
    };
  }

  /** So many more bytes are in the kernel's memory: it may be time to begin with them. */
  more(bytes: number): void {
    this.pending += bytes;
    if (this.pending < STEP || this.running !== undefined) return;
    this.all().catch(() => undefined);
  }

  /** Those who come while one is under way share the one after it. */
  private all(): Promise<void> {
    this.next ??= this.afterRunning();
    return this.next;
  }

  private async afterRunning(): Promise<void> {
    // What is written until the call begins is in it: others join until then.
    await this.running?.catch(() => undefined);
    this.running = this.next;
    this.next = undefined;
    this.pending = 0;
    try {
      await this.kernel.syncFileSystem(this.directory);
    } catch (error) {
      this.failures.push(error);
      throw error;
    } finally {
      this.running = undefined;
    }
  }
}
