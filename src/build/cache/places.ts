// Where a build keeps things: below `build` of the store's directory.
import type { Bytes } from '../../linux/bytes.ts';

export class BuildPlaces {
  /** The store's directory. */
  readonly root: Bytes;

  constructor(root: Bytes) {
    this.root = root;
  }

  get directory(): Bytes {
    return `${this.root}/build`;
  }

  /** Results of operations: directories whose names say which program made them. */
  get steps(): Bytes {
    return `${this.directory}/steps`;
  }

  /** Which result a key has: small files that hold the name of its directory. */
  get keys(): Bytes {
    return `${this.directory}/keys`;
  }

  /** What builds need for a while, a directory for each. */
  get sessions(): Bytes {
    return `${this.directory}/sessions`;
  }

  /** Directories of `--mount=type=cache`. */
  get caches(): Bytes {
    return `${this.directory}/caches`;
  }

  get all(): readonly Bytes[] {
    return [this.directory, this.steps, this.keys, this.sessions, this.caches];
  }

  /** Relative to the store's directory, as overlays take it. */
  relative(path: Bytes): Bytes {
    return path.startsWith(`${this.root}/`) ? path.slice(this.root.length + 1) : path;
  }
}
