// `--user` and `--group-add`: the ids of the container's process.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { User } from '../../spec/runtime-spec.ts';
import { type ResolvedUser, resolveGroup, resolveUser, sortedIds } from '../users.ts';
import type { FrontendFacts, IdMaps, ImageConfig } from './facts.ts';
import { flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import { isMapped } from './id-maps.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import { usernsMode } from './userns-mode.ts';

/** The process user, and what the environment needs of it. */
export interface CompiledUser {
  readonly user: User;
  readonly home: Bytes;
}

/**
 * The user of the process. Its own group is among the supplementary groups, so that a set-group-id program
 * cannot shed it (CVE-2022-36109); where setgroups(2) is denied there are none (CVE-2014-8989).
 */
export function compileUser(
  flags: RunFlags,
  image: ImageConfig,
  maps: IdMaps | undefined,
  facts: FrontendFacts,
  recorder: Recorder,
): CompiledUser {
  const keepId = keptUser(flags, facts);
  const who = flags.user ?? (image.User !== undefined && image.User !== '' ? image.User : keepId);
  const resolved = naming('user', flags.user, () => resolveUser(who, facts.users));
  if (flags.user !== undefined) recorder.note('/process/user', 'user', flags.user);
  const added = addedGroups(flags, maps, facts, recorder);
  checkMapped(resolved, flags, maps);
  const user: { -readonly [K in keyof User]: User[K] } = { uid: resolved.uid, gid: resolved.gid };
  if (maps?.setgroups !== false) {
    user.additionalGids = sortedIds([resolved.gid, ...resolved.groups, ...added]).filter(
      (gid) => maps === undefined || added.includes(gid) || isMapped(maps.gidMappings, gid),
    );
  }
  if (flags.umask !== undefined) {
    user.umask = umask(flags.umask);
    recorder.note('/process/user/umask', 'umask', flags.umask);
  }
  return { user, home: resolved.home };
}

/** keep-id: who the caller is inside; as podman, for root too, whose ids are kept without a user namespace. */
function keptUser({ userns }: RunFlags, facts: FrontendFacts): Bytes {
  const wanted = usernsMode(userns);
  if (wanted?.mode !== 'keep-id') return '';
  return `${wanted.uid ?? facts.uid}:${wanted.gid ?? facts.gid}`;
}

/** An error of a look-up in passwd and group, which docker words without the flag, names it as its source. */
function naming<T>(flag: 'user' | 'group-add', text: Bytes | undefined, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof CaissonError) || text === undefined) throw error;
    throw new CaissonError(error.message, {
      code: error.code,
      sources: [flagSource(flag, text)],
      cause: error,
    });
  }
}

function addedGroups(
  flags: RunFlags,
  maps: IdMaps | undefined,
  facts: FrontendFacts,
  recorder: Recorder,
): readonly number[] {
  const texts = flags.groupAdd ?? [];
  return texts.map((text) => {
    if (text === '') throw invalidArgument('group-add', text, 'no group named');
    if (maps?.setgroups === false) {
      throw flagRefused('group-add', text, 'without subordinate group ids (newgidmap) groups cannot be set');
    }
    const gid = naming('group-add', text, () => resolveGroup(text, facts.users));
    if (maps !== undefined && !isMapped(maps.gidMappings, gid)) {
      throw flagRefused('group-add', text, `group id ${gid} is not mapped in the user namespace`);
    }
    recorder.note('/process/user/additionalGids', 'group-add', text);
    return gid;
  });
}

function checkMapped(resolved: ResolvedUser, flags: RunFlags, maps: IdMaps | undefined): void {
  if (maps === undefined) return;
  for (const [what, id, map] of [
    ['user', resolved.uid, maps.uidMappings],
    ['group', resolved.gid, maps.gidMappings],
  ] as const) {
    if (!isMapped(map, id))
      throw flagRefused('user', flags.user, `${what} id ${id} is not mapped in the user namespace`);
  }
}

function umask(text: Bytes): number {
  if (!/^0?[0-7]{1,4}$/.test(text)) throw invalidArgument('umask', text, 'not an octal number such as 022');
  return Number.parseInt(text, 8) & 0o777;
}
