// Maps of sparse files: which bytes of a file an archive holds (GNU tar manual, "Storing Sparse Files").
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { type PaxRecords, paxNumber } from './pax.ts';
import { numeric } from './tar-field.ts';

/** A stretch of a file that the archive holds; between stretches the file has holes. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of text that a map may have, and stretches (Go's archive/tar was without such a bound, CVE-2025-58183). */
const TEXT_LIMIT = 1 << 20;
const STRETCH_LIMIT = 1 << 16;

/** Throws RangeError unless the stretches follow each other inside a file of `size` bytes, `stored` bytes in all. */
export function checkStretches(stretches: readonly Stretch[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of stretches) {
    if (offset < end || offset + length > size)
      throw new RangeError('a sparse map overlaps, or leaves its file');
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw new RangeError('a sparse map does not describe the content that follows it');
}

function pairs(numbers: readonly number[]): Stretch[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * STRETCH_LIMIT) {
    throw new RangeError('a sparse map is not made of pairs, or too long');
  }
  const stretches: Stretch[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    stretches.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  }
  return stretches;
}

/** The map of the formats 0.0 and 0.1, which is in the extended header. */
export function mapOfRecords({ values, sparse }: PaxRecords): Stretch[] | undefined {
  const map = values.get('GNU.sparse.map');
  if (map !== undefined) return pairs(map.split(',').map(paxNumber));
  return sparse.length > 0 ? pairs(sparse) : undefined;
}

/** The map of format 1.0: lines of decimal numbers in front of the content, filled up to a whole block. */
export class LeadingMap {
  private text: Bytes = '';
  private lines = 0;

  /** Takes the next block; the map when it is complete. */
  add(block: Uint8Array): Stretch[] | undefined {
    const more = fromArray(block);
    this.text += more;
    for (let i = 0; i < more.length; i++) if (more.charCodeAt(i) === 10) this.lines++;
    if (this.text.length > TEXT_LIMIT) throw new RangeError('a sparse map is too long');
    const first = this.text.indexOf('\n');
    if (first < 0) return undefined;
    const count = paxNumber(this.text.slice(0, first));
    if (count > STRETCH_LIMIT) throw new RangeError('a sparse map is too long');
    if (this.lines < 1 + 2 * count) return undefined;
    return pairs(
      this.text
        .split('\n', 1 + 2 * count)
        .slice(1)
        .map(paxNumber),
    );
  }
}

/** The map of the old format: four stretches in the header, and 21 in each further block. */
export class OldMap {
  readonly stretches: Stretch[] = [];

  /** Takes the header; whether a further block follows. */
  header(block: Uint8Array): boolean {
    this.take(block, 386, 4);
    return block[482] !== 0;
  }

  further(block: Uint8Array): boolean {
    this.take(block, 0, 21);
    return block[504] !== 0;
  }

  /** The size of the file, holes included. */
  static realSize(block: Uint8Array): number {
    return numeric(block, [483, 12]);
  }

  private take(block: Uint8Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const start = at + 24 * i;
      if (block[start] === 0) break;
      const [offset, length] = [numeric(block, [start, 12]), numeric(block, [start + 12, 12])];
      if (offset < 0 || length < 0) throw new RangeError('a sparse map has negative numbers');
      this.stretches.push({ offset, length });
    }
    if (this.stretches.length > STRETCH_LIMIT) throw new RangeError('a sparse map is too long');
  }
}
