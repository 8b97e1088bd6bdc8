// Words for a POSIX shell: any bytes but NUL, exactly.
import type { Bytes } from '../../linux/bytes.ts';

const PLAIN = /^[A-Za-z0-9_/.:=@%+,-]+$/;

/** `bytes` as one word: plain where that is safe, else in single quotes, in which only the quote itself is special. */
export function quote(bytes: Bytes): Bytes {
  return PLAIN.test(bytes) ? bytes : `'${bytes.replaceAll("'", "'\\''")}'`;
}

/** A command line of quoted words. */
export function words(...parts: readonly Bytes[]): Bytes {
  return parts.map(quote).join(' ');
}

/** Text after a `#`, in which a newline would end the comment. */
export function comment(text: Bytes): Bytes {
  return `# ${text.replace(/[\0-\x1f\x7f]/g, '?')}`;
}

/** A here-document whose end is no line of `body`. */
export function hereDocument(body: Bytes): { readonly end: Bytes; readonly text: Bytes } {
  const lines = new Set(body.split('\n'));
  let end = 'CAISSON';
  while (lines.has(end)) end += '_';
  return { end, text: `${body}${end}\n` };
}
