// Hashes for the QuickJS host: SHA-256 of FIPS 180-4, whose blocks the engine works on (quickjs/sha256.h).
import type { RunningHash } from './hash.ts';
import { handOver } from './quickjs-hand-over.ts';
import { engine } from './quickjs-native.ts';

const BLOCK = 64;
/** Room for the length in bits at the end of the last block. */
const LENGTH = 8;

/** FIPS 180-4, 5.3.3. */
const BEGINNING = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;

/** hash.ts. A small file's worth takes microseconds; sha512, which is rare, is the whole program's. */
export function startHash(algorithm: 'sha256' | 'sha512'): RunningHash {
  return algorithm === 'sha256' ? new Sha256() : handOver('sha512');
}

class Sha256 implements RunningHash {
  private readonly state = new Uint32Array(BEGINNING);
  private rest = new Uint8Array(0);
  private length = 0;

  update(bytes: Uint8Array): void {
    this.length += bytes.length;
    const all = this.rest.length === 0 ? bytes : joined(this.rest, bytes);
    const whole = Math.floor(all.length / BLOCK);
    engine.blocks(this.state, all, whole);
    this.rest = all.slice(whole * BLOCK);
  }

  hex(): string {
    const blocks = Math.ceil((this.rest.length + 1 + LENGTH) / BLOCK);
    const last = new Uint8Array(blocks * BLOCK);
    last.set(this.rest);
    last[this.rest.length] = 0x80;
    const view = new DataView(last.buffer);
    view.setUint32(last.length - 8, Math.floor(this.length / 2 ** 29));
    view.setUint32(last.length - 4, (this.length * 8) >>> 0);
    engine.blocks(this.state, last, blocks);
    return [...this.state].map((word) => word.toString(16).padStart(8, '0')).join('');
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
