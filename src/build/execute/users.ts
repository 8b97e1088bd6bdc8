// Users and groups of a stage by name: `--chown`, USER for directories that WORKDIR makes.
import type { Bytes } from '../../linux/bytes.ts';
import { fromArray, utf8ToBytes } from '../../linux/bytes.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { CaissonError } from '../../spec/error.ts';
import { readSmall } from '../tree/content.ts';
import type { Owner } from '../tree/directories.ts';
import type { TreeWorker } from '../tree/worker.ts';

const LIMIT = 1 << 20;
const LARGEST_ID = 2 ** 32 - 2;

/** /etc/passwd and /etc/group of a root. Untrusted: bounded, regular files, no link in the last part (CVE-2024-9676). */
export async function userDatabase(
  worker: TreeWorker,
  root: number,
): Promise<{ passwd: Bytes; group: Bytes }> {
  const read = async (path: Bytes) => {
    const content = await readSmall(worker, root, path, LIMIT, IN_ROOT);
    return content === undefined ? '' : fromArray(content);
  };
  return { passwd: await read('etc/passwd'), group: await read('etc/group') };
}

/**
 * `user`, `user:group`, `:group`, numbers or names. A number stands for itself and never for a name (CVE-2016-3697); its
 * group is the same number, that of a name is its own. Throws CaissonError `EUSER`.
 */
export async function resolveOwner(worker: TreeWorker, root: number, text: string): Promise<Owner> {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? '' : text.slice(colon + 1);
  const numeric = (id: string) => id === '' || /^\d+$/.test(id);
  const database =
    numeric(user) && numeric(group) ? { passwd: '', group: '' } : await userDatabase(worker, root);
  const found = idsOf(user, database.passwd);
  if (group === '') return found;
  return { uid: found.uid, gid: groupOf(group, database.group) };
}

function idsOf(user: string, passwd: Bytes): Owner {
  if (user === '') return { uid: 0, gid: 0 };
  if (/^\d+$/.test(user)) return { uid: idOf(user), gid: idOf(user) };
  const fields = lineOf(passwd, user);
  if (fields === undefined) throw unknown('user', user, 'passwd');
  return { uid: idOf(fields[2] ?? ''), gid: idOf(fields[3] ?? '') };
}

function groupOf(group: string, groups: Bytes): number {
  if (/^\d+$/.test(group)) return idOf(group);
  const fields = lineOf(groups, group);
  if (fields === undefined) throw unknown('group', group, 'group');
  return idOf(fields[2] ?? '');
}

function lineOf(file: Bytes, name: string): Bytes[] | undefined {
  const wanted = utf8ToBytes(name);
  for (const line of file.split('\n')) {
    const fields = line.split(':');
    if (fields[0] === wanted && fields.length >= 3) return fields;
  }
  return undefined;
}

function idOf(text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id <= LARGEST_ID) return id;
  throw new CaissonError(`${text} is not an id of a user or group`, { code: 'EUSER' });
}

function unknown(what: string, name: string, file: string): CaissonError {
  const message = `the ${what} ${JSON.stringify(name)} is not in the image's /etc/${file}`;
  return new CaissonError(utf8ToBytes(message), {
    code: 'EUSER',
    details: ['use its number, or make it in an earlier step'],
  });
}
