// How a command that this program cannot do comes to one that can: it is undone like one that fails, and begins anew there.

/**
 * Not an error of anybody: whoever catches it undoes what was done and throws it on. Nothing has been told by then.
 * The quick program (src/caisson.ts) becomes the whole one when it arrives.
 */
export class HandOver extends Error {
  constructor(reason: string) {
    super(`this program has no ${reason}`);
    this.name = 'HandOver';
  }
}
