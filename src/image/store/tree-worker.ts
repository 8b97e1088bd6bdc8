// A launcher that may do anything inside the layer trees of this user: root, or root of a user namespace of theirs.
import type { Channel, Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CLONE_NEWNS, CLONE_NEWUSER } from '../../linux/constants/process.ts';
import { type IdMapping, subordinateRanges } from '../../linux/idmap.ts';
import { findPasswd } from '../../linux/passwd.ts';
import { call, number } from '../../plan/call.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import { enterOwnUserNamespace } from '../rootfs-tar.ts';

const CAUSE = 'default: the image store';

/** Throws CaissonError `EIDMAP` when newuidmap(1) refuses what /etc/subuid says. */
export async function openTreeWorker(port: Port): Promise<Channel> {
  const channel = await port.openChannel({ noInput: true });
  if (port.uid === 0) return channel;
  try {
    await enterUserNamespace(port, new Player(port, channel));
    return channel;
  } catch (error) {
    await channel.close();
    throw error;
  }
}

/** With subordinate ids a layer's files belong to them, and only root of a namespace that has them all may touch these. */
async function enterUserNamespace(port: Port, player: Player): Promise<void> {
  const maps = subordinateMaps(port);
  if (maps === undefined) {
    await player.play(enterOwnUserNamespace(port.uid, port.gid, CAUSE));
    return;
  }
  await player.play([
    step('parent', 'user-namespace', 'leave for a user namespace', CAUSE, [
      sys.unshare(CLONE_NEWUSER | CLONE_NEWNS),
    ]),
  ]);
  for (const { program, map } of maps) {
    const words = map.flatMap(({ containerId, hostId, size }) => [containerId, hostId, size].map(String));
    const ended = await port.spawn(program, [String(player.pid), ...words], { env: [] });
    if (ended.exitCode === 0) continue;
    throw new CaissonError(`${program}: ${ended.stderr.trim() || `exit code ${ended.exitCode}`}`, {
      code: 'EIDMAP',
    });
  }
  await player.play([
    step('parent', 'root', 'become root of the user namespace', CAUSE, [
      call('setresgid', [number(0), number(0), number(0)]),
      call('setresuid', [number(0), number(0), number(0)]),
    ]),
  ]);
}

interface HelperMap {
  readonly program: Bytes;
  readonly map: readonly IdMapping[];
}

/** The user as root and the subordinate ids after that; undefined where there are none. */
function subordinateMaps(port: Port): readonly HelperMap[] | undefined {
  const name = findPasswd(port.readFile('/etc/passwd') ?? '', ({ uid }) => uid === port.uid)?.name ?? '';
  const helpers = [
    { program: port.findProgram('newuidmap'), file: '/etc/subuid', own: port.uid },
    { program: port.findProgram('newgidmap'), file: '/etc/subgid', own: port.gid },
  ];
  const maps = helpers.flatMap(({ program, file, own }) => {
    const ranges = subordinateRanges(port.readFile(file) ?? '', name, port.uid);
    if (program === undefined || ranges.length === 0) return [];
    const map: IdMapping[] = [{ containerId: 0, hostId: own, size: 1 }];
    for (const { start, count } of ranges) {
      const before = map.reduce((sum, { size }) => sum + size, 0);
      map.push({ containerId: before, hostId: start, size: count });
    }
    return [{ program, map }];
  });
  return maps.length === helpers.length ? maps : undefined;
}
