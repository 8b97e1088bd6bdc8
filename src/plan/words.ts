// Numbers of up to 64 bits as the 32-bit words of the wire.

/** Up to four errnos as one word, the first lowest. */
export function packErrnos(tolerate: readonly number[]): number {
  if (tolerate.length > 4) throw new Error('a record tolerates four errnos');
  let packed = 0;
  for (let i = tolerate.length - 1; i >= 0; i--) packed = (packed << 8) | (tolerate[i] as number);
  return packed;
}

/** The low 32 bits of a number of up to 64 bits, as a signed one. */
export function lowWord(value: number): number {
  return value === (value | 0) ? value : (value - highWord(value) * 2 ** 32) | 0;
}

/** The high 32 bits likewise. */
export function highWord(value: number): number {
  return Math.floor(value / 2 ** 32);
}

/** Writes a number of 1, 2, 4 or 8 bytes where it may lie at any offset. */
export function writeNumber(view: DataView, at: number, width: number, value: number | bigint): void {
  if (width === 1) view.setUint8(at, Number(value));
  else if (width === 2) view.setUint16(at, Number(value), true);
  else if (width === 4) view.setUint32(at, Number(value), true);
  else if (typeof value === 'bigint') view.setBigInt64(at, BigInt.asIntN(64, value), true);
  else {
    view.setInt32(at, lowWord(value), true);
    view.setInt32(at + 4, highWord(value), true);
  }
}
