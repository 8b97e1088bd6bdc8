// The id maps of a new user namespace: `--uidmap`, `--gidmap`, `--userns keep-id`, or the user's default.

import type { Bytes } from '../../linux/bytes.ts';
import { ID_MAX } from '../../linux/passwd.ts';
import type { LinuxIDMapping } from '../../spec/runtime-spec.ts';
import { parseId } from '../users.ts';
import type { FrontendFacts, IdMaps } from './facts.ts';
import { conflictingFlags, flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import type { NamespaceModes } from './namespaces.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

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
  if (facts.idMaps === undefined) {
    throw flagRefused(
      flags.userNs === undefined ? 'userns' : 'user-ns',
      flags.userNs ?? flags.userns,
      'no subordinate ids for this user in /etc/subuid; give --uidmap and --gidmap',
    );
  }
  return flags.userns === 'keep-id' ? keepId(facts.idMaps, facts.uid, facts.gid) : facts.idMaps;
}

function explicitMaps(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): IdMaps | undefined {
  const uid = flags.uidmap;
  const gid = flags.gidmap;
  const first = uid ?? gid;
  if (first === undefined) return undefined;
  if (flags.userns === 'keep-id') throw conflictingFlags('--userns keep-id', flagSource('uidmap', first[0]));
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

/** podman's keep-id: the caller's ids are the same inside, the others are shifted around them. */
function keepId(maps: IdMaps, uid: number, gid: number): IdMaps {
  return {
    uidMappings: keepOne(maps.uidMappings, uid),
    gidMappings: keepOne(maps.gidMappings, gid),
    setgroups: maps.setgroups,
  };
}

function keepOne(maps: readonly LinuxIDMapping[], own: number): LinuxIDMapping[] {
  // The default maps 0 to the caller and 1.. to the subordinate ids: those stay, in their order, around `own`.
  const kept: LinuxIDMapping[] = [];
  let next = 0;
  for (const map of maps.filter((each) => each.hostID !== own)) {
    for (let taken = 0; taken < map.size; ) {
      if (next === own) next++;
      const size = next < own ? Math.min(map.size - taken, own - next) : map.size - taken;
      kept.push({ containerID: next, hostID: map.hostID + taken, size });
      taken += size;
      next += size;
    }
  }
  kept.push({ containerID: own, hostID: own, size: 1 });
  return kept.sort((a, b) => a.containerID - b.containerID);
}

/** Whether the id has a place in the maps (user_namespaces(7)). */
export function isMapped(maps: readonly LinuxIDMapping[], id: number): boolean {
  return maps.some((map) => id >= map.containerID && id - map.containerID < map.size);
}
