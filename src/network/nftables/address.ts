// IP addresses and prefixes between their text, their bytes and numbers, as nftables wants them.

/** An IP address: four or sixteen bytes, the first one first. */
export type AddressBytes = readonly number[];

/** Every address from `first` to `last`, both of one family. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** The bytes of `10.0.0.1` or `fd00::1` (RFC 4291 section 2.2; no zone). Throws RangeError for what is no address. */
export function addressBytes(text: string): AddressBytes {
  const bytes = text.includes(':') ? bytes6(text) : bytes4(text);
  if (bytes === undefined) throw new RangeError(`${text} is not an IP address`);
  return bytes;
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4;
}

function bytes4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

function bytes6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [groups(halves[0] ?? ''), groups(halves[1] ?? '')];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** `a:b:192.0.2.1`, the bytes of one side of `::`. */
function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const parts = text.split(':');
  for (const [at, part] of parts.entries()) {
    const inner = at === parts.length - 1 && part.includes('.') ? bytes4(part) : undefined;
    if (inner !== undefined) bytes.push(...inner);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part))
      bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255);
    else return undefined;
  }
  return bytes;
}

/** `10.0.0.1`, or the eight groups of an IPv6 address in full: nft shortens them itself. */
export function addressText(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0));
  return words.map((word) => word.toString(16)).join(':');
}

export function addressNumber(bytes: AddressBytes): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The address that is `value`, of the family. */
export function numberText(family: 4 | 6, value: bigint): string {
  const length = family === 4 ? 4 : 16;
  const bytes = Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 255n));
  return addressText(bytes);
}

/** `10.0.0.0/8`, or one address. Bits behind the prefix are ignored. Throws RangeError for what is neither. */
export function addressRange(text: string): AddressRange {
  const [address = '', prefix, ...more] = text.split('/');
  const bytes = addressBytes(address);
  const bits = bytes.length * 8;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : bits + 1;
  if (length > bits || more.length > 0) throw new RangeError(`${text} is not an IP prefix`);
  const behind = (1n << BigInt(bits - length)) - 1n;
  const number = addressNumber(bytes);
  return { family: bits === 32 ? 4 : 6, first: number - (number & behind), last: number | behind };
}

/** The six bytes of `02:42:ac:11:00:02`. Throws RangeError for what is no such address. */
export function linkAddressBytes(text: string): AddressBytes {
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(text))
    throw new RangeError(`${text} is not a MAC address`);
  return text.split(':').map((part) => Number.parseInt(part, 16));
}

/** The link-local address that the kernel derives from a MAC address (RFC 4291 appendix A, addr_gen_mode 0). */
export function linkLocal(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = linkAddressBytes(mac);
  return addressText([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
}
