// The id maps of a new user namespace: `--uidmap`, `--gidmap`, the modes of `--userns`, or the user's default.

import type { Bytes } from '../../linux/bytes.ts';
import { ID_MAX } from '../../linux/passwd.ts';
import type { LinuxIDMapping } from '../../spec/runtime-spec.ts';
import { parseId } from '../users.ts';
import type { FrontendFacts, IdMaps } from './facts.ts';
import { conflictingFlags, flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import type { NamespaceModes } from './namespaces.ts';
import { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import { type UsernsMode, usernsMode } from './userns-mode.ts';

/** user_namespaces(7): the kernel takes at most 340 lines. */
const LINES_MAXIMUM = 340;

/** The maps for the mode of the user namespace; undefined where it is not new. Throws when there are no ids to map. */
export function idMaps(
  flags: RunFlags,
  modes: NamespaceModes,
  facts: FrontendFacts,
  recorder: Recorder,
): IdMaps | undefined {
  const explicit = explicitMaps(flags, facts, recorder);
  if (modes.user.value !== 'new') {
    if (explicit !== undefined)
      throw conflictingFlags(flagSource('uidmap'), modes.user.source ?? 'no user namespace');
    return undefined;
  }
  if (explicit !== undefined) return explicit;
  const wanted = usernsMode(flags.userns);
  if (wanted?.mode === 'auto') return automatic(flags, wanted, facts);
  if (facts.idMaps === undefined) {
    throw flagRefused(
      flags.userNs === undefined ? 'userns' : 'user-ns',
      flags.userNs ?? flags.userns,
      'no subordinate ids for this user in /etc/subuid; give --uidmap and --gidmap',
    );
  }
  if (wanted === undefined) return facts.idMaps;
  return shifted(flags, wanted, facts.idMaps, facts);
}

/** A range that no other container has, found by whoever opened the image. */
function automatic(flags: RunFlags, { mode }: UsernsMode, { autoIds }: FrontendFacts): IdMaps {
  if (autoIds !== undefined) return autoIds;
  throw flagRefused(
    'userns',
    flags.userns,
    `${mode} is for images of the store, whose files tell how many ids they have`,
  );
}

/**
 * The maps of an ordinary user's container, where its ids are others than those that the user's layers of images have been
 * unpacked with; undefined where they agree, and for root. Throws CaissonError `EUSAGE` as `idMaps`, and for maps without 0 or the user.
 */
export function unusualMaps(
  flags: RunFlags,
  modes: NamespaceModes,
  facts: FrontendFacts,
): IdMaps | undefined {
  const usual = facts.idMaps;
  if (!facts.rootless || usual === undefined || usernsMode(flags.userns)?.mode === 'auto') return undefined;
  const maps = idMaps(flags, modes, facts, new Recorder());
  if (maps === undefined) return undefined;
  const { uidMappings, gidMappings } = maps;
  // Without subordinate ids all files of layers are the user's.
  if (!usual.setgroups) return undefined;
  if (agree(uidMappings, usual.uidMappings) && agree(gidMappings, usual.gidMappings)) return undefined;
  const kept = uidMappings.some(({ hostID, size }) => facts.uid >= hostID && facts.uid < hostID + size);
  if (kept && isMapped(uidMappings, 0) && isMapped(gidMappings, 0)) return maps;
  const why = kept
    ? 'the id 0, to whom the files of images belong, is not mapped'
    : `you, the user ${facts.uid}, to whom the store of images belongs, are not mapped`;
  if (flags.userns !== undefined) throw flagRefused('userns', flags.userns, why);
  throw flagRefused('uidmap', flags.uidmap?.[0] ?? flags.gidmap?.[0], why);
}

/** Whether every id is the same outside in both; `usual` has more of them, perhaps. */
function agree(maps: readonly LinuxIDMapping[], usual: readonly LinuxIDMapping[]): boolean {
  return maps.every(({ containerID, hostID, size }) =>
    usual.some((line) => {
      const offset = containerID - line.containerID;
      return offset >= 0 && offset + size <= line.size && hostID === line.hostID + offset;
    }),
  );
}

function explicitMaps(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): IdMaps | undefined {
  const uid = flags.uidmap;
  const gid = flags.gidmap;
  const first = uid ?? gid;
  if (first === undefined) return undefined;
  if (usernsMode(flags.userns) !== undefined)
    throw conflictingFlags(flagSource('userns', flags.userns), flagSource('uidmap', first[0]));
  // As podman's: one of the two holds for both.
  const uidMappings = parseMaps(uid === undefined ? 'gidmap' : 'uidmap', uid ?? first, 'uid', recorder);
  const gidMappings = parseMaps(gid === undefined ? 'uidmap' : 'gidmap', gid ?? first, 'gid', recorder);
  // Without privilege the kernel takes the caller's own group alone, and only once setgroups(2) is denied.
  const [only] = gidMappings;
  const own = gidMappings.length === 1 && only?.size === 1 && only.hostID === facts.gid;
  return { uidMappings, gidMappings, setgroups: !(facts.rootless && own) };
}

function parseMaps(
  flag: 'uidmap' | 'gidmap',
  texts: readonly Bytes[],
  kind: 'uid' | 'gid',
  recorder: Recorder,
): LinuxIDMapping[] {
  const lines = texts.flatMap((text) => text.split(',').map((line) => ({ text, line })));
  if (lines.length > LINES_MAXIMUM) throw flagRefused(flag, undefined, `more than ${LINES_MAXIMUM} ranges`);
  const maps = lines.map(({ text, line }, index) => {
    const match = /^([0-9]+):([0-9]+)(?::([0-9]+))?$/.exec(line);
    if (match === null)
      throw invalidArgument(flag, text, 'the form is CONTAINER:HOST[:COUNT], three numbers');
    const [containerID, hostID, size] = [match[1], match[2], match[3] ?? '1'].map(
      (digits) => parseId(digits as string, kind === 'uid' ? 'user' : 'group') as number,
    ) as [number, number, number];
    if (size === 0 || containerID + size - 1 > ID_MAX || hostID + size - 1 > ID_MAX) {
      throw invalidArgument(flag, text, `a range of ids is neither empty nor ends beyond ${ID_MAX}`);
    }
    recorder.note(`/linux/${kind}Mappings/${index}`, flag, text);
    return { containerID, hostID, size };
  });
  for (const side of ['containerID', 'hostID'] as const) {
    const sorted = maps
      .map((map) => ({ start: map[side], end: map[side] + map.size }))
      .sort((a, b) => a.start - b.start);
    sorted.forEach((range, index) => {
      const before = sorted[index - 1];
      if (before !== undefined && before.end > range.start) {
        throw flagRefused(flag, texts.join(' --uidmap '), `two ranges hold the id ${range.start}`);
      }
    });
  }
  return maps;
}

/** podman's keep-id: the caller's ids are the same inside, or those of its options; nomap: the caller is not inside. */
function shifted(flags: RunFlags, wanted: UsernsMode, maps: IdMaps, { uid, gid }: FrontendFacts): IdMaps {
  const inside = (own: number, given: number | undefined) =>
    wanted.mode === 'nomap' ? undefined : (given ?? own);
  const uidMappings = shiftOne(maps.uidMappings, uid, inside(uid, wanted.uid), wanted.size);
  const gidMappings = shiftOne(maps.gidMappings, gid, inside(gid, wanted.gid), wanted.size);
  if (uidMappings.length === 0 || gidMappings.length === 0)
    throw flagRefused('userns', flags.userns, 'no subordinate ids for this user in /etc/subuid');
  return { uidMappings, gidMappings, setgroups: maps.setgroups };
}

/**
 * The default maps 0 to the caller and 1.. to the subordinate ids: those stay, in their order, around `inside`, which is
 * the caller's; `size` ids in all.
 */
function shiftOne(
  maps: readonly LinuxIDMapping[],
  own: number,
  inside: number | undefined,
  size = ID_MAX,
): LinuxIDMapping[] {
  const kept: LinuxIDMapping[] = [];
  let next = 0;
  let left = inside === undefined ? size : size - 1;
  for (const map of maps.filter((each) => each.hostID !== own)) {
    for (let taken = 0; taken < map.size && left > 0; ) {
      if (next === inside) next++;
      const before = inside !== undefined && next < inside ? inside - next : left;
      const count = Math.min(map.size - taken, before, left);
      kept.push({ containerID: next, hostID: map.hostID + taken, size: count });
      taken += count;
      next += count;
      left -= count;
    }
  }
  if (inside !== undefined) kept.push({ containerID: inside, hostID: own, size: 1 });
  return kept.sort((a, b) => a.containerID - b.containerID);
}

/** Whether the id has a place in the maps (user_namespaces(7)). */
export function isMapped(maps: readonly LinuxIDMapping[], id: number): boolean {
  return maps.some((map) => id >= map.containerID && id - map.containerID < map.size);
}
