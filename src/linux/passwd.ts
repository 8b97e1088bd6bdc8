// passwd(5) and group(5): untrusted bytes, read with bounds.
import type { Bytes } from './bytes.ts';

/** What is read of either file; docker images have a few dozen lines (CVE-2024-9676: a huge or special file). */
export const DATABASE_LIMIT = 1 << 20;
/** Longer lines are skipped. */
const LINE_LIMIT = 1 << 16;

/** The largest id: (uid_t) -1 means "unchanged" to setresuid(2), so it is no id. */
export const ID_MAX = 0xfffffffe;

export interface PasswdEntry {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly home: Bytes;
}

export interface GroupEntry {
  readonly name: Bytes;
  readonly gid: number;
  readonly members: readonly Bytes[];
}

/** The first entry of passwd that `matches`; lines that are not entries are skipped. */
export function findPasswd(passwd: Bytes, matches: (entry: PasswdEntry) => boolean): PasswdEntry | undefined {
  for (const line of lines(passwd)) {
    const [name, , uid, gid, , home] = line.split(':', 7);
    const entry = { name: name ?? '', uid: idField(uid), gid: idField(gid), home: home ?? '' };
    if (entry.name === '' || entry.uid < 0 || entry.gid < 0) continue;
    if (matches(entry)) return entry;
  }
  return undefined;
}

/** Every entry of group, lazily; lines that are not entries are skipped. */
export function* groupEntries(group: Bytes): Generator<GroupEntry> {
  for (const line of lines(group)) {
    const [name, , gid, members] = line.split(':', 4);
    const id = idField(gid);
    if (name === undefined || name === '' || id < 0) continue;
    yield { name, gid: id, members: (members ?? '').split(',').filter((member) => member !== '') };
  }
}

function* lines(text: Bytes): Generator<Bytes> {
  const end = Math.min(text.length, DATABASE_LIMIT);
  for (let at = 0; at < end; ) {
    const newline = text.indexOf('\n', at);
    // A line that the limit cuts is no line.
    if (newline >= end || (newline < 0 && end < text.length)) return;
    const stop = newline < 0 ? end : newline;
    if (stop > at && stop - at <= LINE_LIMIT && text[at] !== '#') yield text.slice(at, stop);
    at = stop + 1;
  }
}

/** -1 for what is no id. */
function idField(text: Bytes | undefined): number {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return -1;
  const id = Number(text);
  return id <= ID_MAX ? id : -1;
}
