// Text as Go quotes it (strconv.Quote): UTF-8 stays as it is, and what is none is escaped byte by byte.

import type { Bytes } from '../linux/bytes.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** A character of two to four bytes, or one byte. */
const UTF8_OR_BYTE =
  /[\xc3-\xdf][\x80-\xbf]|\xc2[\xa0-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|[\xf1-\xf3][\x80-\xbf]{3}|\xf0[\x90-\xbf][\x80-\xbf]{2}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\s\S]/g;

function needsEscape(text: Bytes): boolean {
  return text.length === 1 && (text < ' ' || text > '~');
}

function hex(byte: Bytes): Bytes {
  return `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** In double quotes, on one line. */
export function goQuote(text: Bytes): Bytes {
  return `"${text.replace(UTF8_OR_BYTE, (part) => ESCAPES[part] ?? (needsEscape(part) ? hex(part) : part))}"`;
}

/** Bytes from outside must not steer the terminal: all but line ends and tabs is printable then. */
export function printableBytes(text: Bytes): Bytes {
  return text.replace(UTF8_OR_BYTE, (part) =>
    part === '\n' || part === '\t' || !needsEscape(part) ? part : hex(part),
  );
}
