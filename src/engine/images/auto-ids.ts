// `--userns auto`: ids of the user `containers` that no other container of this store has (podman-run(1), subuid(5)).
//
// The record of a container in the store says its maps, so that nothing is kept elsewhere: when the container has ended, or
// its command was killed, its ids are free again. A lock keeps two runs from finding the same ones.
import type { IdMaps, UserDatabase } from '../../frontends/docker/facts.ts';
import { type UsernsMode, usernsMode } from '../../frontends/docker/userns-mode.ts';
import type { Port } from '../../host/port.ts';
import { LauncherKernel } from '../../image/store/launcher-kernel.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type IdMapping, type SubordinateRange, subordinateRanges } from '../../linux/idmap.ts';
import { findPasswd, groupEntries } from '../../linux/passwd.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxIDMapping } from '../../spec/runtime-spec.ts';
import type { ContainerIds } from './changes-view.ts';
import { noteIds, placeOf, placesInUse } from './container-place.ts';

/** podman's: whose ids they are, how many there are at least, and how many at most without `size`. */
const OWNER = 'containers';
const FEWEST = 1024;
const MOST = 65536;
/** The lines of subuid are by name. */
const NOBODY_NUMBER = -1;
/** nobody, who is in every passwd and has no files. */
const NOBODY = 65534;

/**
 * Finds ids for a container whose place is there and notes them in it, or those that it has already, to whom its changes
 * belong; undefined for another mode than auto. Throws
 * CaissonError `EUSAGE` where the flag is wrong, or there are no ids left.
 */
export async function reserveIds(
  port: Port,
  root: Bytes,
  place: Bytes,
  userns: Bytes | undefined,
  users: UserDatabase,
): Promise<IdMaps | undefined> {
  const wanted = usernsMode(userns);
  if (wanted?.mode !== 'auto') return undefined;
  if (port.uid !== 0)
    throw refused(
      userns,
      'auto is for root: each run of a user would need its own copy of the layers; use keep-id',
    );
  const kernel = new LauncherKernel(port, false);
  try {
    const lock = await kernel.lock(`${root}/locks/ids`, 'exclusive');
    const places = placesInUse(port, root);
    const own = places.find(({ id }) => placeOf(root, id) === place)?.ids;
    const ids =
      own ??
      findIds(
        port,
        userns,
        wanted,
        places.flatMap((each) => each.ids ?? []),
        users,
      );
    if (own === undefined) noteIds(port, place, ids);
    await lock?.release();
    return { uidMappings: ids.uids.map(spelled), gidMappings: ids.gids.map(spelled), setgroups: true };
  } finally {
    await kernel.close();
  }
}

function spelled({ containerId, hostId, size }: IdMapping): LinuxIDMapping {
  return { containerID: containerId, hostID: hostId, size };
}

function findIds(
  port: Port,
  userns: Bytes | undefined,
  wanted: UsernsMode,
  used: readonly ContainerIds[],
  users: UserDatabase,
): ContainerIds {
  const size = wanted.size ?? Math.max(FEWEST, highestId(users) + 1);
  if (wanted.size === undefined && size > MOST)
    throw refused(userns, `the image has ${size} ids, and ${MOST} are the most: give auto:size=${size}`);
  const find = (file: Bytes, lines: readonly Bytes[], taken: readonly IdMapping[]): IdMapping[] => {
    const available = subordinateRanges(port.readFile(file) ?? '', OWNER, NOBODY_NUMBER);
    const extra = lines.map((line) => parseLine(userns, line));
    const start = freeRange(available, taken, size);
    if (start !== undefined) return around(extra, start, size);
    const why =
      available.length === 0
        ? `no ids of the user ${OWNER} in ${file}: add a line such as ${OWNER}:2147483647:2147483648`
        : `not enough unused ids of the user ${OWNER} in ${file} for ${size} more`;
    throw refused(userns, why);
  };
  return {
    uids: find(
      '/etc/subuid',
      wanted.uidmapping,
      used.flatMap(({ uids }) => uids),
    ),
    gids: find(
      '/etc/subgid',
      wanted.gidmapping,
      used.flatMap(({ gids }) => gids),
    ),
  };
}

function refused(userns: Bytes | undefined, why: string): CaissonError {
  return new CaissonError(`--userns ${userns}: ${why}`, { code: 'EUSAGE' });
}

/** The highest id that passwd and group of the image have. */
export function highestId({ passwd, group }: UserDatabase): number {
  const ids: number[] = [];
  findPasswd(passwd, ({ uid, gid }) => {
    ids.push(uid, gid);
    return false;
  });
  ids.push(...[...groupEntries(group)].map(({ gid }) => gid));
  return ids.filter((id) => id !== NOBODY).reduce((most, id) => Math.max(most, id), 0);
}

function parseLine(userns: Bytes | undefined, line: Bytes): IdMapping {
  const match = /^(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(line);
  const [containerId, hostId, size] = [match?.[1], match?.[2], match?.[3] ?? '1'].map(Number);
  if (containerId === undefined || hostId === undefined || size === undefined || match === null || size === 0)
    throw refused(userns, `${line}: the form is CONTAINER:HOST:COUNT, three numbers`);
  return { containerId, hostId, size };
}

/** The start of the first `size` ids of `available` that nobody has. */
export function freeRange(
  available: readonly SubordinateRange[],
  taken: readonly IdMapping[],
  size: number,
): number | undefined {
  const sorted = [...taken].sort((a, b) => a.hostId - b.hostId);
  for (const { start, count } of available) {
    let at = start;
    for (const { hostId, size: length } of sorted)
      if (hostId < at + size && hostId + length > at) at = hostId + length;
    if (at + size <= start + count) return at;
  }
  return undefined;
}

/** The range from `start` for the ids 0 to `size` inside that `extra` does not map itself. */
export function around(extra: readonly IdMapping[], start: number, size: number): IdMapping[] {
  const lines: IdMapping[] = [];
  let host = start;
  let inside = 0;
  const add = (end: number) => {
    const length = Math.min(end, size) - inside;
    if (length <= 0) return;
    lines.push({ containerId: inside, hostId: host, size: length });
    host += length;
  };
  for (const each of [...extra].sort((a, b) => a.containerId - b.containerId)) {
    add(each.containerId);
    inside = Math.max(inside, each.containerId + each.size);
  }
  add(size);
  return [...lines, ...extra];
}
