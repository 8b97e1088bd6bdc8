// Writes tar headers: POSIX's format, with extended headers where a field does not fit (POSIX.1-2017 pax).
//
// The same file gives the same bytes: no names of users, no process ids, records in the order of their keywords.
import { type Bytes, utf8ToBytes, writeBytes } from '../linux/bytes.ts';
import type { TarEntry, TarType } from './tar.ts';
import { BLOCK, FIELD } from './tar-field.ts';

const FLAGS: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

type Field = readonly [number, number];

/** Two blocks of zeros. */
export const ARCHIVE_END = new Uint8Array(2 * BLOCK);

/** What fills `size` bytes of content up to a whole block. */
export function paddingOf(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The blocks in front of a member's content. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records = paxRecords(entry);
  const payload = [...records]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([keyword, value]) => record(keyword, value))
    .join('');
  const main = headerBlock(entry, FLAGS[entry.type], entry.size);
  if (payload === '') return main;
  const room = Math.ceil(payload.length / BLOCK) * BLOCK;
  const all = new Uint8Array(BLOCK + room + BLOCK);
  const name = entry.path.replace(/\/+$/, '').slice(entry.path.lastIndexOf('/', entry.path.length - 2) + 1);
  const extended: TarEntry = { ...PLAIN, path: `PaxHeaders.0/${name}`.slice(0, 100) };
  all.set(headerBlock(extended, 'x', payload.length));
  writeBytes(all, BLOCK, payload);
  all.set(main, BLOCK + room);
  return all;
}

const PLAIN: TarEntry = {
  path: '',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  linkName: '',
  device: { major: 0, minor: 0 },
  xattrs: new Map(),
};

function record(keyword: Bytes, value: Bytes): Bytes {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

/** Whether a number can be written as octal digits and a NUL. */
function fits(value: number, [, length]: Field): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function paxRecords(entry: TarEntry): Map<Bytes, Bytes> {
  const records = new Map<Bytes, Bytes>();
  if (splitName(entry.path) === undefined) records.set('path', entry.path);
  if (entry.linkName.length > FIELD.linkName[1]) records.set('linkpath', entry.linkName);
  for (const [keyword, field] of [
    ['uid', FIELD.uid],
    ['gid', FIELD.gid],
    ['size', FIELD.size],
  ] as const) {
    if (!fits(entry[keyword], field)) records.set(keyword, String(entry[keyword]));
  }
  const { seconds, nanoseconds } = entry.mtime;
  if (nanoseconds !== 0 || !fits(seconds, FIELD.mtime))
    records.set('mtime', decimalTime(seconds, nanoseconds));
  for (const [name, value] of entry.xattrs) records.set(`SCHILY.xattr.${name}`, value);
  return records;
}

/** Seconds with as many digits behind the point as are needed; before 1970 the fraction counts downwards. */
function decimalTime(seconds: number, nanoseconds: number): Bytes {
  const negative = seconds < 0;
  const whole = negative && nanoseconds > 0 ? seconds + 1 : seconds;
  const fraction = negative && nanoseconds > 0 ? 1_000_000_000 - nanoseconds : nanoseconds;
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  const sign = negative ? '-' : '';
  return utf8ToBytes(`${sign}${Math.abs(whole)}${digits === '' ? '' : `.${digits}`}`);
}

/** Name and prefix of POSIX's format; undefined where it does not take the path. */
function splitName(path: Bytes): readonly [Bytes, Bytes] | undefined {
  if (path.length <= FIELD.name[1]) return [path, ''];
  // A directory's last slash belongs to its name.
  for (let cut = path.lastIndexOf('/', path.length - 2); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
    if (path.length - cut - 1 > FIELD.name[1]) return undefined;
    if (cut <= FIELD.prefix[1]) return [path.slice(cut + 1), path.slice(0, cut)];
  }
  return undefined;
}

function headerBlock(entry: TarEntry, flag: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const [name, prefix] = splitName(entry.path) ?? [entry.path.slice(0, FIELD.name[1]), ''];
  const octal = (field: Field, value: number) => {
    const digits = (fits(value, field) ? value : 0).toString(8);
    writeBytes(block, field[0], digits.padStart(field[1] - 1, '0'));
  };
  writeBytes(block, FIELD.name[0], name);
  octal(FIELD.mode, entry.mode);
  octal(FIELD.uid, entry.uid);
  octal(FIELD.gid, entry.gid);
  octal(FIELD.size, size);
  octal(FIELD.mtime, entry.mtime.seconds);
  writeBytes(block, FIELD.type[0], flag);
  writeBytes(block, FIELD.linkName[0], entry.linkName.slice(0, FIELD.linkName[1]));
  writeBytes(block, FIELD.magic[0], 'ustar\x0000');
  octal(FIELD.deviceMajor, entry.device.major);
  octal(FIELD.deviceMinor, entry.device.minor);
  writeBytes(block, FIELD.prefix[0], prefix);
  writeBytes(block, FIELD.checksum[0], '        ');
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += block[i] as number;
  writeBytes(block, FIELD.checksum[0], `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}
