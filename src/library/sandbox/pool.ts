// A pool of sandboxes that are made ahead and wait; each is used once.
import { CaissonError } from '../../spec/error.ts';
import type { SandboxOptions } from './options.ts';
import type { SandboxResult, SandboxRunOptions } from './run.ts';
import type { Sandbox } from './sandbox.ts';

/** What `Sandbox.pool` takes: how many places wait, and what each is made of. */
export interface PoolOptions extends SandboxOptions {
  /** How many places are ready, or being made. */
  readonly size: number;
}

/** Places that wait. A place that was taken is replaced by a new one, and never used again. */
export class SandboxPool {
  private readonly size: number;
  private readonly make: () => Promise<Sandbox>;
  private readonly waiting: Promise<Sandbox>[] = [];
  private readonly leaving = new Set<Promise<void>>();
  private closed = false;

  /** @internal */
  constructor({ size }: PoolOptions, make: () => Promise<Sandbox>) {
    if (!Number.isSafeInteger(size) || size < 1)
      throw new CaissonError(`a pool has at least one place, not ${size}`, { code: 'EUSAGE' });
    this.size = size;
    this.make = make;
  }

  /** Waits until all places are ready. Throws what keeps one from being made. */
  async ready(): Promise<void> {
    this.fill();
    await Promise.all(this.waiting);
  }

  /** A place of one's own: the caller ends it. Throws CaissonError `ENOTRUNNING` when the pool is closed. */
  async take(): Promise<Sandbox> {
    if (this.closed) throw new CaissonError('the pool is closed', { code: 'ENOTRUNNING' });
    const next = this.waiting.shift() ?? this.make();
    // After the caller has its place: making another takes the time of this thread.
    setImmediate(() => {
      this.fill();
    });
    return await next;
  }

  /** Runs one program in a place of its own, which then ends. Throws as `Sandbox.run`. */
  async run(command: string | readonly string[], options?: SandboxRunOptions): Promise<SandboxResult> {
    const place = await this.take();
    try {
      return await place.run(command, options);
    } finally {
      this.leave(place);
    }
  }

  /** Ends all places that wait, and waits for those that are ending. */
  async close(): Promise<void> {
    this.closed = true;
    const places = await Promise.allSettled(this.waiting.splice(0));
    for (const place of places) if (place.status === 'fulfilled') this.leave(place.value);
    await Promise.allSettled(this.leaving);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private fill(): void {
    while (!this.closed && this.waiting.length < this.size) {
      const place = this.make();
      // Whoever takes it is told.
      place.catch(() => undefined);
      this.waiting.push(place);
    }
  }

  private leave(place: Sandbox): void {
    const left = place.kill().finally(() => this.leaving.delete(left));
    this.leaving.add(left);
  }
}
