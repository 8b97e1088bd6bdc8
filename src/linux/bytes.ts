// Byte strings: a JavaScript string in which every character (0..255) is one byte.
//
// Linux paths, arguments and environments are bytes, not text (execve(2), path_resolution(7)); a Latin-1
// file name must survive. A string of bytes is compared, concatenated and used as a key for nothing, which
// neither Uint8Array nor decoded text allows.

/** A byte string: every character code is 0..255. */
export type Bytes = string;

/** The UTF-8 bytes of `text` as a byte string. Lone surrogates become U+FFFD, as in the Encoding standard. */
export function utf8ToBytes(text: string): Bytes {
  let ascii = true;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) {
      ascii = false;
      break;
    }
  }
  if (ascii) return text;
  let out = '';
  for (const symbol of text) {
    let code = symbol.codePointAt(0) as number;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    out += encodeCodePoint(code);
  }
  return out;
}

function encodeCodePoint(code: number): Bytes {
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
  if (code < 0x10000) {
    return String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return String.fromCharCode(
    0xf0 | (code >> 18),
    0x80 | ((code >> 12) & 0x3f),
    0x80 | ((code >> 6) & 0x3f),
    0x80 | (code & 0x3f),
  );
}

/** The text that `bytes` encode in UTF-8; bytes that are not UTF-8 become U+FFFD. For showing to a person only. */
export function bytesToUtf8(bytes: Bytes): string {
  let out = '';
  for (let i = 0; i < bytes.length; ) {
    const first = bytes.charCodeAt(i);
    const length =
      first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    const code = length === 1 ? first : decodeAt(bytes, i, length);
    if (code < 0) {
      out += '\ufffd';
      i += 1;
    } else {
      out += String.fromCodePoint(code);
      i += length;
    }
  }
  return out;
}

function decodeAt(bytes: Bytes, at: number, length: number): number {
  if (length === 0 || at + length > bytes.length) return -1;
  let code = bytes.charCodeAt(at) & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const next = bytes.charCodeAt(at + i);
    if ((next & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (next & 0x3f);
  }
  const smallest = [0, 0, 0x80, 0x800, 0x10000][length] as number;
  if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return -1;
  return code;
}

/** Whether `text` has no characters but those in `allowed`. */
export function isMadeOf(text: Bytes, allowed: string): boolean {
  for (let i = 0; i < text.length; i++) if (!allowed.includes(text.charAt(i))) return false;
  return true;
}

/** Writes a byte string into `target` at `offset`; the caller has made room. */
export function writeBytes(target: Uint8Array, offset: number, bytes: Bytes): void {
  for (let i = 0; i < bytes.length; i++) target[offset + i] = bytes.charCodeAt(i);
}

/** The byte string as a new array. */
export function toArray(bytes: Bytes): Uint8Array {
  const array = new Uint8Array(bytes.length);
  writeBytes(array, 0, bytes);
  return array;
}

/** The byte string of `array[start..end)`. */
export function fromArray(array: Uint8Array, start = 0, end = array.length): Bytes {
  let out = '';
  for (let at = start; at < end; at += 4096) {
    out += String.fromCharCode(...array.subarray(at, Math.min(end, at + 4096)));
  }
  return out;
}

/** `bytes` as strace prints a string: quoted, C escapes, octal for what is not printable ASCII. */
export function quoteBytes(bytes: Bytes): string {
  let out = '"';
  for (let i = 0; i < bytes.length; i++) out += quoteByte(bytes.charCodeAt(i), bytes.charCodeAt(i + 1));
  return `${out}"`;
}

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

function quoteByte(code: number, next: number): string {
  const short = SHORT_ESCAPES[code];
  if (short !== undefined) return short;
  if (code >= 32 && code < 127) return String.fromCharCode(code);
  const digitFollows = next >= 48 && next <= 57;
  return `\\${code.toString(8).padStart(digitFollows ? 3 : 1, '0')}`;
}
