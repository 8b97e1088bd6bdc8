// Lists of processors and memory nodes (`0-3,7`, cpuset(7)) and their bit masks.

/** The largest number of processors a kernel can be built for (NR_CPUS on x86-64); arm64 has at most 4096. */
export const CPU_LIMIT = 8192;

/** No list of CPU_LIMIT processors is longer than this, however it is written without repetition. */
const TEXT_LIMIT = 40_960;

/**
 * The numbers in a list such as `0-3,7`, ascending and without repetition; the empty list is empty. Numbers end below
 * CPU_LIMIT, so that a range such as `0-4294967295` cannot take memory (CVE-2018-20699). Throws RangeError that says
 * which part is wrong.
 */
export function parseCpuList(text: string): number[] {
  if (text.length > TEXT_LIMIT) throw new RangeError(`a list of at most ${TEXT_LIMIT} bytes is allowed`);
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const seen = new Uint8Array(CPU_LIMIT);
  for (const part of trimmed.split(',')) markRange(part.trim(), seen);
  const numbers: number[] = [];
  for (let number = 0; number < CPU_LIMIT; number++) if (seen[number] === 1) numbers.push(number);
  return numbers;
}

function markRange(part: string, seen: Uint8Array): void {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
  if (match === null) throw new RangeError(`"${part}" is neither a number nor a range`);
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  if (last < first) throw new RangeError(`"${part}" ends before it begins`);
  if (last >= CPU_LIMIT) throw new RangeError(`"${part}" goes beyond ${CPU_LIMIT - 1}`);
  seen.fill(1, first, last + 1);
}

/** The list of `numbers` as the kernel prints it: ascending, runs of two and more as ranges. */
export function formatCpuList(numbers: Iterable<number>): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    const first = sorted[at] as number;
    let end = at + 1;
    while (end < sorted.length && sorted[end] === first + (end - at)) end++;
    parts.push(end - at === 1 ? `${first}` : `${first}-${first + (end - at) - 1}`);
    at = end;
  }
  return parts.join(',');
}

/**
 * The bit mask of `numbers` in bytes, as sched_setaffinity(2) and set_mempolicy(2) take it on a little-endian machine:
 * bit n of byte n / 8, padded to whole 64-bit words. Throws RangeError on a number outside 0..CPU_LIMIT-1.
 */
export function cpuMask(numbers: readonly number[]): Uint8Array {
  let highest = 0;
  for (const number of numbers) {
    if (!Number.isInteger(number) || number < 0 || number >= CPU_LIMIT)
      throw new RangeError(`no processor ${number}`);
    if (number > highest) highest = number;
  }
  const mask = new Uint8Array((Math.floor(highest / 64) + 1) * 8);
  for (const number of numbers) mask[number >> 3] = (mask[number >> 3] as number) | (1 << (number & 7));
  return mask;
}
