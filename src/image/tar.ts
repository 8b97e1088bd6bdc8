// Reads a tar archive as a stream: bytes in, members and their content out. No I/O, bounded memory.
//
// ustar, GNU (long names, base-256, sparse 0.0, 0.1, 1.0 and old), pax. What an archive says is hostile until the
// extractor has had the kernel resolve it: this reader bounds every header, refuses NUL in names, and promises
// nothing about `..`, absolute names or links (security.md T40, T41).
import type { Bytes } from '../linux/bytes.ts';
import { PATH_MAX } from '../linux/constants/filesystem.ts';
import type { Timespec } from '../plan/syscalls.ts';
import { addPaxRecords, detached, noRecords, type PaxRecords, paxNumber, paxTime } from './pax.ts';
import { checkStretches, LeadingMap, mapOfRecords, OldMap, type Stretch } from './sparse.ts';
import { archiveError, BLOCK, checksumHolds, FIELD, isZero, numeric, slice, text } from './tar-field.ts';

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

/** One member. Names are as the archive has them, neither empty nor with a NUL, shorter than PATH_MAX. */
export interface TarEntry {
  readonly path: Bytes;
  readonly type: TarType;
  /** Permission bits, 0..07777. */
  readonly mode: number;
  /** 0..2^32-2. */
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file, holes included; 0 for all other types. */
  readonly size: number;
  readonly mtime: Timespec;
  /** The target of a link. */
  readonly linkName: Bytes;
  readonly device: { readonly major: number; readonly minor: number };
  readonly xattrs: ReadonlyMap<Bytes, Bytes>;
}

/** A member begins; a piece of its content, in order, holes left out; the member ends. */
export type TarEvent =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  /** `bytes` is a view of the chunk that was pushed. */
  | { readonly kind: 'data'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

/** Bytes of one extended header or long name; and of all that stand before one member. */
const SPECIAL_LIMIT = 1 << 20;
const SPECIALS_LIMIT = 4 << 20;

const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

type Collecting = 'header' | 'special' | 'old-map' | 'leading-map';

export class TarReader {
  private collecting: Collecting = 'header';
  /** Of every header, one after the other. */
  private readonly block = new Uint8Array(BLOCK);
  private pending = this.block;
  private filled = 0;
  /** Members and extended headers so far. */
  private member = 0;
  private zeroBlocks = 0;
  private ended = false;

  private special = { type: '', size: 0 };
  private specials = 0;
  private records: PaxRecords = noRecords();
  private longName: Bytes | undefined;
  private longLink: Bytes | undefined;

  private entry: TarEntry | undefined;
  /** Bytes of the current member that the archive has still, and what fills up the last block. */
  private remaining = 0;
  private padding = 0;
  private stretches: readonly Stretch[] = [];
  private stretch = 0;
  /** Bytes of the current stretch that have been given out. */
  private given = 0;
  private oldMap = new OldMap();
  private leadingMap = new LeadingMap();

  /** Whether the end of the archive has come; what follows it is ignored. */
  get hasEnded(): boolean {
    return this.ended;
  }

  /** Takes the next bytes. Throws CaissonError (EARCHIVE) where they are no tar archive that can be trusted. */
  *push(chunk: Uint8Array): Generator<TarEvent, void> {
    try {
      for (let at = 0; at < chunk.length && !this.ended; ) {
        const between = this.collecting === 'header';
        if (between && this.remaining > 0) {
          const piece = chunk.subarray(at, at + this.remaining);
          at += piece.length;
          yield* this.content(piece);
        } else if (between && this.padding > 0) {
          const skipped = Math.min(this.padding, chunk.length - at);
          this.padding -= skipped;
          at += skipped;
        } else {
          const taken = chunk.subarray(at, at + this.pending.length - this.filled);
          this.pending.set(taken, this.filled);
          this.filled += taken.length;
          at += taken.length;
          if (this.filled === this.pending.length) yield* this.collected();
        }
      }
    } catch (error) {
      if (error instanceof RangeError) throw archiveError(error.message, this.member);
      throw error;
    }
  }

  /** To be called after the last bytes: throws when the archive is cut off, or nothing was in it. */
  finish(): void {
    if (this.ended) return;
    const inside = this.remaining > 0 || this.padding > 0 || this.filled > 0 || this.collecting !== 'header';
    if (inside) throw archiveError('the archive is cut off', this.member);
    if (this.member === 0) throw archiveError('the archive is empty', 0);
  }

  private *collected(): Generator<TarEvent, void> {
    const block = this.pending;
    const collecting = this.collecting;
    this.collect('header', BLOCK);
    if (collecting === 'special') this.specialDone(block);
    else if (collecting === 'old-map') yield* this.oldMapBlock(block);
    else if (collecting === 'leading-map') yield* this.leadingMapBlock(block);
    else yield* this.header(block);
  }

  private collect(what: Collecting, length: number): void {
    this.collecting = what;
    this.pending = length === BLOCK ? this.block : new Uint8Array(length);
    this.filled = 0;
  }

  private *header(block: Uint8Array): Generator<TarEvent, void> {
    if (isZero(block)) {
      this.zeroBlocks++;
      this.ended = this.zeroBlocks === 2;
      return;
    }
    if (this.zeroBlocks > 0) throw new RangeError('a single zero block is followed by something');
    this.member++;
    if (!checksumHolds(block))
      throw new RangeError('the checksum is wrong: this is no tar archive, or it is damaged');
    const type = String.fromCharCode(block[FIELD.type[0]] as number);
    if ('xgXLKV'.includes(type)) this.beginSpecial(block, type);
    else yield* this.begin(block, type);
  }

  /** `g`, which is about all members, and `V`, the name of a volume, are passed over: no engine heeds them. */
  private beginSpecial(block: Uint8Array, type: string): void {
    const size = numeric(block, FIELD.size);
    this.specials += size + BLOCK;
    if (size < 0 || size > SPECIAL_LIMIT || this.specials > SPECIALS_LIMIT) {
      throw new RangeError(`an extended header of ${size} bytes is too large`);
    }
    this.special = { type, size };
    if (size > 0) this.collect('special', Math.ceil(size / BLOCK) * BLOCK);
  }

  private specialDone(block: Uint8Array): void {
    const { type, size } = this.special;
    const payload = Buffer.from(block.buffer, block.byteOffset, size).toString('latin1');
    if (type === 'x' || type === 'X') addPaxRecords(this.records, payload);
    else if (type === 'L') this.longName = detached(untilNul(payload));
    else if (type === 'K') this.longLink = detached(untilNul(payload));
  }

  private *begin(block: Uint8Array, flag: string): Generator<TarEvent, void> {
    const header = this.entryOf(block, flag);
    const stored = header.type === 'file' ? this.storedSize(block) : 0;
    // Programs do not agree whether content follows: an archive must not be two different ones (GNU tar, Go).
    if (header.type === 'directory' && flag !== '5' && this.storedSize(block) !== 0)
      throw new RangeError('a directory has content');
    const { values } = this.records;
    const leading = values.get('GNU.sparse.major') === '1' && values.get('GNU.sparse.minor') === '0';
    const map = mapOfRecords(this.records);
    const realSize = values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size');
    this.forgetSpecials();
    const holes = header.type === 'file' && (flag === 'S' || leading || map !== undefined);
    const size = flag === 'S' ? OldMap.realSize(block) : holes ? paxNumber(realSize ?? '') : stored;
    if (size < 0) throw new RangeError('a size is negative');
    this.entry = { ...header, size };
    this.padding = (BLOCK - (stored % BLOCK)) % BLOCK;
    this.remaining = stored;
    if (flag === 'S') {
      this.oldMap = new OldMap();
      if (this.oldMap.header(block)) this.collect('old-map', BLOCK);
      else yield* this.announce(this.oldMap.stretches);
    } else if (holes && map === undefined) {
      this.leadingMap = new LeadingMap();
      this.collect('leading-map', BLOCK);
    } else {
      yield* this.announce(holes && map !== undefined ? map : [{ offset: 0, length: stored }]);
    }
  }

  private forgetSpecials(): void {
    this.records = noRecords();
    this.longName = undefined;
    this.longLink = undefined;
    this.specials = 0;
  }

  private *oldMapBlock(block: Uint8Array): Generator<TarEvent, void> {
    if (this.oldMap.further(block)) this.collect('old-map', BLOCK);
    else yield* this.announce(this.oldMap.stretches);
  }

  private *leadingMapBlock(block: Uint8Array): Generator<TarEvent, void> {
    this.remaining -= BLOCK;
    if (this.remaining < 0) throw new RangeError('a sparse map is longer than its file');
    const map = this.leadingMap.add(block);
    if (map === undefined) this.collect('leading-map', BLOCK);
    else yield* this.announce(map);
  }

  private *announce(stretches: readonly Stretch[]): Generator<TarEvent, void> {
    const entry = this.entry as TarEntry;
    checkStretches(stretches, entry.size, this.remaining);
    this.stretches = stretches;
    this.stretch = 0;
    this.given = 0;
    yield { kind: 'entry', entry };
    if (this.remaining === 0) yield { kind: 'end' };
  }

  private *content(piece: Uint8Array): Generator<TarEvent, void> {
    for (let at = 0; at < piece.length; ) {
      const { offset, length } = this.stretches[this.stretch] as Stretch;
      const bytes = piece.subarray(at, at + length - this.given);
      if (bytes.length > 0) yield { kind: 'data', offset: offset + this.given, bytes };
      at += bytes.length;
      this.given += bytes.length;
      if (this.given === length) {
        this.stretch++;
        this.given = 0;
      }
    }
    this.remaining -= piece.length;
    if (this.remaining === 0) yield { kind: 'end' };
  }

  private storedSize(block: Uint8Array): number {
    const size = this.records.values.get('size');
    const stored = size === undefined ? numeric(block, FIELD.size) : paxNumber(size);
    if (stored < 0) throw new RangeError('a size is negative');
    return stored;
  }

  private entryOf(block: Uint8Array, flag: string): TarEntry {
    const { values } = this.records;
    const type = TYPES[flag];
    if (type === undefined)
      throw new RangeError(`a member has the type ${JSON.stringify(flag)}, which is unknown`);
    const path = values.get('GNU.sparse.name') ?? values.get('path') ?? this.longName ?? ustarName(block);
    const linkName = values.get('linkpath') ?? this.longLink ?? text(block, FIELD.linkName);
    const isDevice = type === 'character' || type === 'block';
    const number = (field: readonly [number, number]) => (isDevice ? numeric(block, field) : 0);
    return {
      path: checkName(path, 'name'),
      // Before POSIX a directory was a file whose name ends in a slash.
      type: type === 'file' && path.endsWith('/') ? 'directory' : type,
      mode: numeric(block, FIELD.mode) & 0o7777,
      uid: identity(values.get('uid'), block, FIELD.uid),
      gid: identity(values.get('gid'), block, FIELD.gid),
      size: 0,
      mtime: timeOf(values.get('mtime'), block),
      linkName: type === 'hardlink' || type === 'symlink' ? checkName(linkName, 'link target') : '',
      device: { major: number(FIELD.deviceMajor), minor: number(FIELD.deviceMinor) },
      xattrs: extendedAttributes(values),
    };
  }
}

function untilNul(payload: Bytes): Bytes {
  const end = payload.indexOf('\0');
  return end < 0 ? payload : payload.slice(0, end);
}

/** The prefix belongs to POSIX's format only: GNU's has times there. */
function ustarName(block: Uint8Array): Bytes {
  const name = text(block, FIELD.name);
  const prefix = slice(block, 257, 263) === 'ustar\0' ? text(block, FIELD.prefix) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function checkName(name: Bytes, what: string): Bytes {
  if (name === '') throw new RangeError(`a ${what} is empty`);
  if (name.includes('\0')) throw new RangeError(`a ${what} has a NUL in it`);
  if (name.length >= PATH_MAX)
    throw new RangeError(`a ${what} has ${name.length} bytes, more than the kernel takes`);
  return name;
}

function identity(pax: Bytes | undefined, block: Uint8Array, field: readonly [number, number]): number {
  const id = pax === undefined ? numeric(block, field) : paxNumber(pax);
  // 2^32-1 means "leave it" to chown(2).
  if (id < 0 || id > 0xfffffffe) throw new RangeError(`the owner ${id} is no user or group of Linux`);
  return id;
}

function timeOf(pax: Bytes | undefined, block: Uint8Array): Timespec {
  return pax === undefined ? { seconds: numeric(block, FIELD.mtime), nanoseconds: 0 } : paxTime(pax);
}

const XATTR = 'SCHILY.xattr.';

function extendedAttributes(values: ReadonlyMap<Bytes, Bytes>): Map<Bytes, Bytes> {
  const found = new Map<Bytes, Bytes>();
  for (const [keyword, value] of values) {
    if (keyword.startsWith(XATTR)) found.set(keyword.slice(XATTR.length), value);
  }
  return found;
}
