// Keeps apart, inside one program, what takes things into a store and the collection of garbage, which the lock cannot.
import { CaissonError } from '../../spec/error.ts';

export class Gate {
  private inside = 0;
  private collecting: Promise<void> | undefined;

  /** Waits for a collection to end and comes in; the result goes out again, once however often it is called. */
  async enter(): Promise<() => void> {
    while (this.collecting !== undefined) await this.collecting;
    this.inside++;
    let left = false;
    return () => {
      if (!left) this.inside--;
      left = true;
    };
  }

  /** Does `work` while nobody is inside. Throws CaissonError `EBUSY` when somebody is. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.inside > 0 || this.collecting !== undefined) {
      throw new CaissonError('this store takes something in: garbage cannot be collected meanwhile', {
        code: 'EBUSY',
      });
    }
    const done = work();
    this.collecting = done.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await done;
    } finally {
      this.collecting = undefined;
    }
  }
}
