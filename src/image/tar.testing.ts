// Writes tar blocks for tests, valid and hostile ones.
import { type Bytes, writeBytes } from '../linux/bytes.ts';

/** What a header says; fields that are absent have harmless values. */
export interface Header {
  readonly name: Bytes;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: number;
  readonly linkName?: Bytes;
  readonly prefix?: Bytes;
  readonly magic?: Bytes;
  readonly device?: readonly [number, number];
  /** Bytes written over the header at offsets, before the checksum. */
  readonly patch?: Readonly<Record<number, Bytes>>;
  /** Instead of the right checksum. */
  readonly checksum?: Bytes;
}

const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;

export function header(h: Header): Uint8Array {
  const block = new Uint8Array(512);
  const put = (at: number, bytes: Bytes) => writeBytes(block, at, bytes);
  put(0, h.name.slice(0, 100));
  put(100, octal(h.mode ?? 0o644, 7));
  put(108, octal(h.uid ?? 0, 7));
  put(116, octal(h.gid ?? 0, 7));
  put(124, octal(h.size ?? 0, 11));
  put(136, octal(h.mtime ?? 0, 11));
  put(148, '        ');
  put(156, h.type ?? '0');
  put(157, (h.linkName ?? '').slice(0, 100));
  put(257, h.magic ?? 'ustar\x0000');
  put(329, octal(h.device?.[0] ?? 0, 7));
  put(337, octal(h.device?.[1] ?? 0, 7));
  put(345, h.prefix ?? '');
  for (const [at, bytes] of Object.entries(h.patch ?? {})) put(Number(at), bytes);
  put(
    148,
    h.checksum ??
      `${octal(
        block.reduce((sum, byte) => sum + byte, 0),
        6,
      )} `,
  );
  return block;
}

/** Content, filled up to a whole block. */
export function padded(bytes: Bytes): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  writeBytes(out, 0, bytes);
  return out;
}

/** A member with its content. */
export function member(h: Header, content: Bytes = ''): Uint8Array {
  return concat(header({ size: content.length, ...h }), padded(content));
}

export function paxRecord(keyword: Bytes, value: Bytes): Bytes {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

/** An extended header for the member that follows. */
export function pax(...records: (readonly [Bytes, Bytes])[]): Uint8Array {
  return member(
    { name: 'pax', type: 'x' },
    records.map(([keyword, value]) => paxRecord(keyword, value)).join(''),
  );
}

export const END = new Uint8Array(1024);

export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
