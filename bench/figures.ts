// Medians and the table of the results.

/** Milliseconds of every run of one program. */
export interface Series {
  readonly name: string;
  readonly what: string;
  readonly wall: readonly number[];
  /** Processor time of the program and the children that it waited for, where that is known. */
  readonly processor: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

const fixed = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : '');

/** A Markdown table: least and median milliseconds, and the medians as multiples of `base`'s. */
export function table(series: readonly Series[], base: string): string {
  const unit = median(series.find(({ name }) => name === base)?.wall ?? []);
  const rows = series.map(({ name, what, wall, processor }) => {
    const cells = [
      name,
      what,
      fixed(Math.min(...wall)),
      fixed(median(wall)),
      fixed(median(processor)),
      fixed(median(wall) / unit),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `| program | what | least ms | median ms | processor ms | of ${base} |`,
    '| --- | --- | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

/** A bar of the issue: the median of `name` as a multiple of `of`'s, and the most that it may be. */
export interface Bar {
  readonly name: string;
  readonly of: string;
  readonly most: number;
}

export function barLine({ name, of, most }: Bar, series: readonly Series[]): string {
  const of_ = series.find((one) => one.name === of);
  const mine = series.find((one) => one.name === name);
  if (of_ === undefined || mine === undefined) return `* ${name} against ${of}: not measured`;
  const ratio = median(mine.wall) / median(of_.wall);
  return `* ${name}: ${fixed(ratio)} of ${of}, at most ${most}: ${ratio <= most ? 'kept' : '**missed**'}`;
}
