// Checks of user and group id mappings against what user_namespaces(7) lets be written (T17).

import type { Bytes } from '../linux/bytes.ts';
import type { Check, Fields } from './check.ts';

/** UID_GID_MAP_MAX_EXTENTS of the kernel, since 4.15. */
const LINES_MAX = 340;
const UINT32_MAX = 2 ** 32 - 1;

interface Range {
  readonly index: number;
  readonly first: number;
  readonly end: number;
}

/** Checks a list of mappings: sizes, ends, overlaps on either side, number of lines. Returns how many there are. */
export function checkIDMappings(fields: Fields, key: Bytes, c: Check): number {
  const mappings = c.objects(fields, key, checkMapping);
  if (mappings === undefined) return 0;
  if (mappings.length > LINES_MAX) c.fail(key, `${mappings.length} mappings; Linux has at most ${LINES_MAX}`);
  for (const side of ['containerID', 'hostID'] as const) {
    const overlap = findOverlap(mappings, side);
    if (overlap !== undefined) c.fail(key, `entries ${overlap[0]} and ${overlap[1]} overlap in ${side}`);
  }
  return mappings.length;
}

function checkMapping(mapping: Fields, c: Check): void {
  const size = required(mapping, 'size', c);
  if (size === 0) c.fail('size', 'is 0; a mapping has at least one id');
  for (const side of ['containerID', 'hostID']) {
    const first = required(mapping, side, c);
    if (first === undefined || size === undefined || first + size <= UINT32_MAX) continue;
    c.fail(side, `${first} and ${size} ids from there end beyond 4294967294, the last id`);
  }
}

function required(mapping: Fields, key: Bytes, c: Check): number | undefined {
  c.require(mapping, key);
  return c.uint32(mapping, key);
}

function findOverlap(
  mappings: readonly Fields[],
  side: 'containerID' | 'hostID',
): [number, number] | undefined {
  if (mappings.length < 2) return undefined;
  const ranges: Range[] = [];
  mappings.forEach((mapping, index) => {
    const first = mapping[side];
    const size = mapping.size;
    if (typeof first === 'number' && typeof size === 'number')
      ranges.push({ index, first, end: first + size });
  });
  ranges.sort((a, b) => a.first - b.first);
  for (let i = 1; i < ranges.length; i++) {
    const before = ranges[i - 1] as Range;
    const range = ranges[i] as Range;
    if (range.first < before.end)
      return [Math.min(before.index, range.index), Math.max(before.index, range.index)];
  }
  return undefined;
}
