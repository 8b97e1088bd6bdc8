// The user namespace in which an ordinary user's launcher unpacks and reads trees.
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { CLONE_NEWNS, CLONE_NEWUSER } from '../linux/constants/process.ts';
import { errnoName, errnoText } from '../linux/errno.ts';
import { type IdMapping, parseIdMap, subordinateRanges } from '../linux/idmap.ts';
import { type Call, call, number, slot } from '../plan/call.ts';
import { decodeAnswer, encode } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';

/** A launcher for the files of layers, and what it may do. */
export interface FileLauncher {
  readonly channel: Channel;
  /** `keep`: files get the owners that an archive names, of `ids` ids (all where absent); `squash`: all are the user's. */
  readonly owners: { readonly kind: 'keep'; readonly ids?: number } | { readonly kind: 'squash' };
  /** Whether it may make device nodes: root of the first user namespace may (mknod(2)). */
  readonly devices: boolean;
  /** Whether overlay's attributes are user.overlay.* there. */
  readonly userxattr: boolean;
}

/** All ids but (uid_t) -1. */
const EVERY_ID = 0xffffffff;

/**
 * Starts a launcher: as root as it is, for an ordinary user in a user namespace with all of their subordinate ids, or
 * with their own alone where they have none. A user may ask for other maps, in which the id 0 is. Throws CaissonError EIDMAP
 * where newuidmap(1) refuses.
 */
export async function openFileLauncher(
  port: Port,
  cause: Pointer,
  ids?: { readonly uids: readonly IdMapping[]; readonly gids: readonly IdMapping[] },
): Promise<FileLauncher> {
  const channel = await port.openChannel({ noInput: true, concurrent: true });
  try {
    if (port.uid === 0) return { channel, ...rootsOwners(port) };
    const maps = subordinateMaps(port, ids);
    if (maps === undefined) {
      await play(port, channel, enterOwnUserNamespace(port.uid, port.gid, cause));
      return { channel, owners: { kind: 'squash' }, devices: false, userxattr: true };
    }
    await play(port, channel, [
      step('parent', 'user-namespace', 'a user namespace for the files of layers', cause, [
        sys.unshare(CLONE_NEWUSER | CLONE_NEWNS),
      ]),
    ]);
    await writeMap(port, maps.newuidmap, channel.pid, maps.uids, cause);
    await writeMap(port, maps.newgidmap, channel.pid, maps.gids, cause);
    await play(port, channel, [step('parent', 'become-root', 'become root of it', cause, becomeRoot())]);
    const known = Math.min(countOf(maps.uids), countOf(maps.gids));
    return { channel, owners: { kind: 'keep', ids: known }, devices: false, userxattr: true };
  } catch (error) {
    await channel.close();
    throw error;
  }
}

/** Root in a user namespace, as in a container, has only the ids that are mapped there. */
function rootsOwners(port: Port): Omit<FileLauncher, 'channel'> {
  const ids = ['uid_map', 'gid_map'].map((file) =>
    parseIdMap(port.readFile(`/proc/self/${file}`) ?? '').reduce((sum, { size }) => sum + size, 0),
  );
  const fewest = Math.min(...ids);
  if (fewest === 0 || fewest >= EVERY_ID)
    return { owners: { kind: 'keep' }, devices: true, userxattr: false };
  return { owners: { kind: 'keep', ids: fewest }, devices: false, userxattr: true };
}

/** Lines of a map: inside, outside, count. */
export type MapLines = readonly (readonly [number, number, number])[];

/** Ids from 0 on that are mapped. */
function countOf(lines: MapLines): number {
  const sorted = [...lines].sort(([a], [b]) => a - b);
  return sorted.reduce((sum, [inside, , count]) => (inside === sum ? sum + count : sum), 0);
}

/** The map that `caisson run` gives a rootless container: the user as root, and their subordinate ids behind that. */
export function subordinateMaps(
  port: Port,
  ids?: Parameters<typeof openFileLauncher>[2],
): { uids: MapLines; gids: MapLines; newuidmap: Bytes; newgidmap: Bytes } | undefined {
  const [newuidmap, newgidmap] = [port.findProgram('newuidmap'), port.findProgram('newgidmap')];
  const name = userName(port);
  const linesOf = (file: Bytes, own: number): MapLines => {
    let inside = 1;
    const ranges = subordinateRanges(port.readFile(file) ?? '', name, port.uid).map(({ start, count }) => {
      inside += count;
      return [inside - count, start, count] as const;
    });
    return [[0, own, 1], ...ranges];
  };
  const [uids, gids] = [
    ids === undefined ? linesOf('/etc/subuid', port.uid) : ids.uids.map(asLine),
    ids === undefined ? linesOf('/etc/subgid', port.gid) : ids.gids.map(asLine),
  ];
  if (newuidmap === undefined || newgidmap === undefined || uids.length < 2 || gids.length < 2)
    return undefined;
  return { uids, gids, newuidmap, newgidmap };
}

function asLine({ containerId, hostId, size }: IdMapping): MapLines[number] {
  return [containerId, hostId, size];
}

function userName(port: Port): Bytes {
  const line = (port.readFile('/etc/passwd') ?? '')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(port.uid));
  return line?.split(':')[0] ?? String(port.uid);
}

async function writeMap(
  port: Port,
  program: Bytes,
  pid: number,
  lines: MapLines,
  cause: Pointer,
): Promise<void> {
  const ended = await port.spawn(program, [String(pid), ...lines.flat().map(String)], { env: [] });
  if (ended.exitCode === 0) return;
  throw new CaissonError(`${program}: ${ended.stderr.trim() || `exit code ${ended.exitCode}`}`, {
    code: 'EIDMAP',
    provenance: [cause],
  });
}

async function play(port: Port, channel: Channel, steps: readonly Step[]): Promise<void> {
  const batch = encode(steps, port.arch);
  await channel.send(batch.bytes);
  const raw = await channel.receive(true);
  if (raw === undefined) throw new CaissonError('the launcher has ended unexpectedly', { code: 'ELAUNCHER' });
  const { kind, index, errno } = decodeAnswer(raw.frame, raw.data);
  if (kind === 'done') return;
  const title = batch.records[index]?.step.title ?? 'a step';
  throw new CaissonError(`${title}: ${errnoText(errno)} (${errnoName(errno)})`, { code: 'ESYSCALL', errno });
}

/**
 * Steps that make an ordinary user's launcher root of a user namespace in which only that user exists, before an
 * import with `owners: squash` and `confine`. The launcher is single-threaded, so it may unshare (unshare(2)).
 */
export function enterOwnUserNamespace(uid: number, gid: number, cause: string): Step[] {
  return [
    step('parent', 'own-user-namespace', 'become root of a user namespace of one user', cause, [
      sys.unshare(CLONE_NEWUSER | CLONE_NEWNS),
      ...writeOwn('setgroups', 'deny'),
      ...writeOwn('uid_map', `0 ${uid} 1\n`),
      ...writeOwn('gid_map', `0 ${gid} 1\n`),
      ...becomeRoot(),
    ]),
  ];
}

function writeOwn(name: Bytes, content: Bytes): Call[] {
  const file = slot(name);
  return [
    sys.openat(sys.AT_FDCWD, `/proc/self/${name}`, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, content),
    sys.close(file),
  ];
}

function becomeRoot(): Call[] {
  return [
    call('setresgid', [number(0), number(0), number(0)]),
    call('setresuid', [number(0), number(0), number(0)]),
  ];
}
