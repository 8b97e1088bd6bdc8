// How a flag word or an enumerated argument is printed: in strace's words and order, for plans and traces.

/** Names for the values of one kind of argument. */
export interface FlagTable {
  readonly name: string;
  /**
   * In the order in which strace 6.1 prints them; an entry of several bits matches when all are set. Made only where
   * something is printed: a start that builds all tables at import would pay half a millisecond for them.
   */
  readonly values: () => FlagValues;
  /** What 0 is printed as, `0` by default. */
  readonly zero?: string;
  /** Whether the whole value is one entry (`F_DUPFD`) rather than a union of bits. */
  readonly exact?: boolean;
  /** Bits that hold a number, not flags (O_ACCMODE): always printed first, by this name for each value. */
  readonly field?: { readonly mask: number; readonly names: Readonly<Record<number, string>> };
  /** For values that follow a rule of their own; there are then no others. */
  readonly print?: (value: number) => string;
}

/** Names and values in the order of printing. */
export type FlagValues = Readonly<Record<string, number>>;

/** A table of bits, printed in the order of `values`. */
export function flagTable(name: string, values: () => FlagValues, more?: Partial<FlagTable>): FlagTable {
  return { name, values, ...more };
}

/** A table of which a value is exactly one entry. */
export function enumTable(name: string, values: () => FlagValues): FlagTable {
  return { name, values, exact: true };
}

function noValues(): FlagValues {
  return {};
}

/** A table for values that follow a rule of their own. */
export function ruleTable(name: string, print: (value: number) => string): FlagTable {
  return { name, values: noValues, print };
}

/**
 * `value` in the words of `table`: `MS_NOSUID|MS_NODEV`, `0` (or the table's word for it) when no bit is set; bits
 * without a name follow as one hexadecimal number. A negative number is taken as 32 bits, a bigint as 64.
 */
export function formatFlags(value: number | bigint, table: FlagTable): string {
  if (table.print !== undefined) return table.print(Number(value));
  if (table.exact === true) return formatExact(Number(value), table);
  let [high, low] = splitWords(value);
  const words: string[] = [];
  if (table.field !== undefined) {
    words.push(table.field.names[low & table.field.mask] ?? hex(low & table.field.mask));
    low = (low & ~table.field.mask) >>> 0;
  }
  for (const [name, bits] of Object.entries(table.values())) {
    const bitsHigh = Math.floor(bits / 2 ** 32);
    const bitsLow = bits >>> 0;
    if (bits === 0 || (low & bitsLow) >>> 0 !== bitsLow || (high & bitsHigh) >>> 0 !== bitsHigh) continue;
    words.push(name);
    low = (low & ~bitsLow) >>> 0;
    high = (high & ~bitsHigh) >>> 0;
  }
  if (low !== 0 || high !== 0) words.push(hexWords(high, low));
  return words.length === 0 ? (table.zero ?? '0') : words.join('|');
}

function formatExact(value: number, table: FlagTable): string {
  for (const [name, known] of Object.entries(table.values())) if (known === value) return name;
  if (value === 0) return table.zero ?? '0';
  return value < 0 ? String(value) : hex(value);
}

function splitWords(value: number | bigint): [number, number] {
  if (typeof value === 'bigint') {
    // Not by asUintN: for QuickJS 2025-04-26 BigInt.asUintN(64, -1n) is -1n.
    const wide = value & 0xffff_ffff_ffff_ffffn;
    return [Number(wide >> 32n), Number(wide & 0xffffffffn)];
  }
  return value < 0 ? [0, value >>> 0] : [Math.floor(value / 2 ** 32), value >>> 0];
}

/** `0x1f`, in full range: of a negative number its 64 bits. */
export function hexNumber(value: number | bigint): string {
  return hexWords(...splitWords(BigInt(value)));
}

/** Not by way of bigint: QuickJS 2025-04-26 prints (2n ** 64n - 1n).toString(16) with a leading zero. */
function hexWords(high: number, low: number): string {
  return high === 0 ? hex(low) : `${hex(high)}${low.toString(16).padStart(8, '0')}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
