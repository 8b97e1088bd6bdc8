// Id maps of user namespaces (user_namespaces(7)) and subordinate ids (subuid(5)).
import type { Bytes } from './bytes.ts';

/** All ids mapped to themselves, as the kernel writes it ("%10u %10u %10u", user_namespaces(7)). */
export const ALL_IDS: Bytes = '         0          0 4294967295\n';

/** One line of uid_map or gid_map: `size` ids from `containerId` are those from `hostId` outside. */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

/** A range of ids that a user may map. */
export interface SubordinateRange {
  readonly start: number;
  readonly count: number;
}

/** (uid_t) -1 is no id (chown(2), setresuid(2)): a map covers at most the ids below it. */
const ID_LIMIT = 0xffffffff;

/** Parses uid_map or gid_map. Throws SyntaxError on another format. */
export function parseIdMap(text: Bytes): IdMapping[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const match = /^\s*(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s*$/.exec(line);
    if (match === null) throw new SyntaxError(`not a line of an id map: ${line}`);
    return { containerId: Number(match[1]), hostId: Number(match[2]), size: Number(match[3]) };
  });
}

/** The text to write to uid_map or gid_map. */
export function formatIdMap(map: readonly IdMapping[]): Bytes {
  return map.map(({ containerId, hostId, size }) => `${containerId} ${hostId} ${size}\n`).join('');
}

/** The id outside of `id` inside, undefined when it is not mapped. */
export function toHostId(map: readonly IdMapping[], id: number): number | undefined {
  for (const { containerId, hostId, size } of map) {
    if (id >= containerId && id < containerId + size) return hostId + (id - containerId);
  }
  return undefined;
}

/** The id inside of `id` outside, undefined when it is not mapped (it shows as 65534). */
export function toContainerId(map: readonly IdMapping[], id: number): number | undefined {
  for (const { containerId, hostId, size } of map) {
    if (id >= hostId && id < hostId + size) return containerId + (id - hostId);
  }
  return undefined;
}

/**
 * The ranges that /etc/subuid or /etc/subgid gives a user, who is named by name or number there; in the order of the
 * file. Lines that are malformed, empty ranges, and ranges beyond the ids there are, are ignored, as newuidmap does.
 */
export function subordinateRanges(text: Bytes, name: Bytes, id: number): SubordinateRange[] {
  const ranges: SubordinateRange[] = [];
  for (const line of text.split('\n')) {
    const match = /^([^:]*):(\d{1,10}):(\d{1,10})\s*$/.exec(line);
    if (match === null || match[1] === '' || (match[1] !== name && match[1] !== `${id}`)) continue;
    const start = Number(match[2]);
    const count = Number(match[3]);
    if (count > 0 && start + count <= ID_LIMIT) ranges.push({ start, count });
  }
  return ranges;
}
