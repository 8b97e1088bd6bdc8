// Hashes of content, by the means of Node and Bun; the QuickJS host has its own (quickjs-hash.ts).
import { createHash } from 'node:crypto';

/** A hash that takes content piece by piece. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  /** Of all that was given, in lower-case hexadecimal digits; afterwards it takes no more. */
  hex(): string;
}

/** Begins a hash of FIPS 180-4. */
export function startHash(algorithm: 'sha256' | 'sha512'): RunningHash {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    hex: () => hash.digest('hex'),
  };
}
