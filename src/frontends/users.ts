// Who `--user` means, by the passwd(5) and group(5) of a container.

import type { Bytes } from '../linux/bytes.ts';
import { findPasswd, groupEntries, ID_MAX, type PasswdEntry } from '../linux/passwd.ts';
import { CaissonError } from '../spec/error.ts';

/** As many supplementary groups as setgroups(2) takes. */
const NGROUPS_MAX = 65536;

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
