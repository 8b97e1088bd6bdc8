// passwd(5) and group(5) of a container: untrusted bytes, read with bounds; and who `--user` means.

import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

/** What is read of either file; docker images have a few dozen lines (CVE-2024-9676: a huge or special file). */
export const DATABASE_LIMIT = 1 << 20;
/** Longer lines are skipped. */
const LINE_LIMIT = 1 << 16;
/** As many supplementary groups as setgroups(2) takes. */
const NGROUPS_MAX = 65536;

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

/** Both files; either may be empty. */
export interface Databases {
  readonly passwd: Bytes;
  readonly group: Bytes;
}

/** Who a process runs as. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, ascending, without `gid`. */
  readonly groups: readonly number[];
  readonly home: Bytes;
  /** The name in passwd, where the uid has one. */
  readonly name: Bytes | undefined;
}

/**
 * A decimal id, 0..4294967294; undefined when `text` is not all ASCII digits.
 * Digits are never a name, whatever the image's passwd says (CVE-2016-3697), and never wrap (CVE-2024-40635).
 * Throws CaissonError `EUSAGE` on a number out of range.
 */
export function parseId(text: Bytes, what: 'user' | 'group'): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const id = text.replace(/^0+(?=[0-9])/, '').length > 10 ? Number.POSITIVE_INFINITY : Number(text);
  if (id > ID_MAX) {
    throw new CaissonError(`${what} id ${text} is out of range: 0 to ${ID_MAX}`, { code: 'EUSAGE' });
  }
  return id;
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

/**
 * Who `spec` means: `''`, `name`, `uid`, each with `:group` or `:gid`.
 *
 * As docker's: an explicit group replaces the groups that the group file lists for the user; a uid without an
 * entry has group 0. Throws CaissonError `EUSAGE`: unable to find user x.
 */
export function resolveUser(spec: Bytes, databases: Databases | undefined): ResolvedUser {
  const colon = spec.indexOf(':');
  const userText = colon < 0 ? spec : spec.slice(0, colon);
  const groupText = colon < 0 ? '' : spec.slice(colon + 1);
  const passwd = databases?.passwd ?? '';
  const uid = userText === '' ? 0 : parseId(userText, 'user');
  const entry = findPasswd(passwd, (each) => (uid === undefined ? each.name === userText : each.uid === uid));
  if (uid === undefined && entry === undefined) throw notFound('user', userText, 'passwd', databases);
  const gid = groupText === '' ? (entry?.gid ?? 0) : resolveGroup(groupText, databases);
  const groups = groupText === '' && entry !== undefined ? memberships(entry.name, databases) : [];
  return {
    uid: uid ?? (entry as PasswdEntry).uid,
    gid,
    groups: sortedIds(groups.filter((each) => each !== gid)),
    home: entry?.home.startsWith('/') === true ? entry.home : '/',
    name: entry?.name,
  };
}

/** The gid that `text` means, a number or a name of the group file. Throws CaissonError `EUSAGE`. */
export function resolveGroup(text: Bytes, databases: Databases | undefined): number {
  const gid = parseId(text, 'group');
  if (gid !== undefined) return gid;
  for (const entry of groupEntries(databases?.group ?? '')) if (entry.name === text) return entry.gid;
  throw notFound('group', text, 'group', databases);
}

/** Ascending, each once. */
export function sortedIds(ids: Iterable<number>): number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}

function memberships(name: Bytes, databases: Databases | undefined): number[] {
  const found: number[] = [];
  for (const entry of groupEntries(databases?.group ?? '')) {
    if (entry.members.includes(name) && found.length < NGROUPS_MAX) found.push(entry.gid);
  }
  return found;
}

function notFound(what: string, name: Bytes, file: string, databases: Databases | undefined): CaissonError {
  const reason =
    databases === undefined ? `the root has no ${file} file` : `no matching entries in ${file} file`;
  return new CaissonError(`unable to find ${what} ${name}: ${reason}`, { code: 'EUSAGE' });
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
