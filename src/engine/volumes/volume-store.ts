// The volumes of a data root: made, found and removed, each at once or not at all, by any number of programs together.
//
//   volumes/.lock                  held while volumes are made for a container, and while one is removed
//   volumes/.new-<unique>          one that is being made, .gone-<unique> one that is being removed
//   volumes/<name>/volume.json     what it is (volume.ts)
//   volumes/<name>/_data           its files, in the ids of the caller's containers
//   volumes/<name>/fresh           no container has had it: the first one may begin with files of its image
//   volumes/<name>/lock            held by the container that looks whether it is the first one
//
// A volume is whole when it has its name: its record is on the disk before it is renamed (facts/security.md 3.4), and
// rename(2) does not replace a directory that has something in it, so that of two makers one wins. It is gone as soon as
// it has lost its name. What a crash leaves has a name with a dot, and the next removal or prune takes it away.
import { volumeNameProblem } from '../../frontends/docker/volume-name.ts';
import type { Disk } from '../../host/disk.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { Port } from '../../host/port.ts';
import { replaceDurably } from '../../image/store/durable.ts';
import { storeLocation } from '../../image/store/location.ts';
import { removeTree } from '../../image/store/tree-removal.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import { openFlags } from '../../linux/abi/index.ts';
import { type Bytes, bytesToUtf8, fromArray } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { slot } from '../../plan/call.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { withLauncher } from '../../runtime/removal.ts';
import { CaissonError } from '../../spec/error.ts';
import { withShop } from '../images/shop.ts';
import { backingOf } from './driver-options.ts';
import { useNotes, volumesInUse } from './in-use.ts';
import { underLock } from './lock.ts';
import { noSuchVolume, type PlacedVolume, parseVolume, type Volume, volumeJson } from './volume.ts';

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');

const NEW = '.new-';
const GONE = '.gone-';
const RECORD_LIMIT = 1 << 20;
/** Milliseconds after which what is being made has been left. */
const GRACE = 60_000;
const CAUSE = 'default: volumes';

export interface NewVolume {
  readonly name: Bytes;
  readonly options: Readonly<Record<Bytes, Bytes>>;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  readonly anonymous: boolean;
}

export class VolumeStore {
  readonly port: Port;
  readonly disk: Disk;
  /** The data root. */
  readonly root: Bytes;
  /** Whether the disk is waited for. */
  readonly durable: boolean;

  constructor(port: Port, disk: Disk, root: Bytes, durable: boolean) {
    this.port = port;
    this.disk = disk;
    this.root = root;
    this.durable = durable;
  }

  get directory(): Bytes {
    return `${this.root}/volumes`;
  }

  directoryOf(name: Bytes): Bytes {
    return `${this.directory}/${name}`;
  }

  dataOf(name: Bytes): Bytes {
    return `${this.directoryOf(name)}/_data`;
  }

  /** Held while volumes are made for a container, and while one is removed. */
  get lock(): Bytes {
    return `${this.directory}/.lock`;
  }

  unique(): Bytes {
    const random = [...this.port.random(12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${this.port.pid}-${random}`;
  }

  /** undefined when there is none. Throws CaissonError `EVOLUME` for a damaged one. */
  find(name: Bytes): PlacedVolume | undefined {
    if (volumeNameProblem(name) !== undefined) return undefined;
    const bytes = this.disk.readFile(`${this.directoryOf(name)}/volume.json`, RECORD_LIMIT);
    if (bytes === undefined) return undefined;
    const volume = parseVolume(fromArray(bytes), name);
    return { ...volume, mountpoint: this.dataOf(name) };
  }

  /** Throws CaissonError `ENOTFOUND` when there is none. */
  get(name: Bytes): PlacedVolume {
    const found = this.find(name);
    if (found === undefined) throw noSuchVolume(name);
    return found;
  }

  /** All of them, by name; `damaged` is told of those whose record cannot be read. */
  list(damaged: (error: CaissonError) => void = () => undefined): PlacedVolume[] {
    const names = (this.disk.list(this.directory) ?? [])
      .filter(({ name, type }) => type === 'directory' && !name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
    return names.flatMap((name) => {
      try {
        return this.find(name) ?? [];
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        damaged(error);
        return [];
      }
    });
  }

  /**
   * The volume of that name, which is made where there is none: whether it was made. Throws CaissonError `EUSAGE` for a
   * name or options that cannot be, `EDISK` when the disk is full: then there is none. `player`: a launcher to use.
   */
  async create(
    wanted: NewVolume,
    player?: Player,
  ): Promise<{ readonly volume: PlacedVolume; readonly made: boolean }> {
    const problem = volumeNameProblem(wanted.name);
    if (problem !== undefined) throw refusedName(wanted.name, problem);
    backingOf(wanted.options);
    const known = this.find(wanted.name);
    if (known !== undefined) return { volume: known, made: false };
    await this.begin();
    const made = await this.make(wanted, player);
    return { volume: this.get(wanted.name), made };
  }

  /** A launcher that is there already, or one of its own. */
  private async withPlayer<T>(player: Player | undefined, work: (player: Player) => Promise<T>): Promise<T> {
    return player === undefined ? await withLauncher(this.port, work) : await work(player);
  }

  /** Makes the directory of all volumes. */
  async begin(): Promise<void> {
    if (this.disk.makeDirectory(this.directory, 0o700)) await this.sync(this.root);
  }

  private async sync(directory: Bytes): Promise<void> {
    if (this.durable) await this.disk.syncDirectory(directory);
  }

  /** False when somebody else was first. */
  private async make(wanted: NewVolume, player: Player | undefined): Promise<boolean> {
    const { disk } = this;
    const fresh = `${this.directory}/${NEW}${this.unique()}`;
    const volume: Volume = { ...wanted, createdAt: `${new Date().toISOString().slice(0, 19)}Z` };
    disk.makeDirectory(fresh, 0o700);
    try {
      await this.withPlayer(player, (each) => makeData(each, `${fresh}/_data`));
      disk.create(`${fresh}/fresh`, 0o600).close();
      // Nobody misses an anonymous volume that a power cut takes away: its container has gone as well.
      if (this.durable && !wanted.anonymous) {
        await replaceDurably(disk, `${fresh}/volume.json`, volumeJson(volume));
        await disk.syncDirectory(fresh);
      } else this.port.replaceFile(`${fresh}/volume.json`, volumeJson(volume), 0o644);
      disk.rename(fresh, this.directoryOf(wanted.name));
    } catch (error) {
      await this.removeFresh(fresh);
      const taken =
        error instanceof CaissonError && (error.errno === ERRNO.EEXIST || error.errno === ERRNO.ENOTEMPTY);
      if (taken && this.find(wanted.name) !== undefined) return false;
      throw error;
    }
    await this.sync(this.directory);
    return true;
  }

  private async removeFresh(fresh: Bytes): Promise<void> {
    for (const name of ['volume.json', 'volume.json.tmp', 'fresh']) this.disk.remove(`${fresh}/${name}`);
    this.disk.removeDirectory(`${fresh}/_data`);
    this.disk.removeDirectory(fresh);
  }

  /**
   * Removes a volume with all that is in it; its files are gone when this returns. Throws CaissonError `ENOTFOUND`,
   * `ECONFLICT` where a container uses it, in docker's words.
   */
  async remove(name: Bytes): Promise<void> {
    const gone = await withLauncher(this.port, (player) =>
      underLock(this.port, player, this.lock, async () => this.takeName(name)),
    ).catch((error: unknown) => {
      // Without the directory of volumes there is no lock, and no volume.
      if (this.disk.stat(this.directory) === undefined) throw noSuchVolume(name);
      throw error;
    });
    await this.sync(this.directory);
    await this.clear([gone]);
  }

  private takeName(name: Bytes): Bytes {
    const known =
      volumeNameProblem(name) === undefined && this.disk.stat(this.directoryOf(name)) !== undefined;
    if (!known) throw noSuchVolume(name);
    const users = volumesInUse(this.port, this.root).get(name) ?? [];
    if (users.length > 0) {
      throw new CaissonError(`remove ${name}: volume is in use - [${users.join(', ')}]`, {
        code: 'ECONFLICT',
        exitCode: 1,
      });
    }
    const gone = `${this.directory}/${GONE}${this.unique()}`;
    this.disk.rename(this.directoryOf(name), gone);
    return gone;
  }

  /** Removes those of `names` that are anonymous and that no container uses any more; what is damaged stays. */
  async removeAnonymous(names: readonly Bytes[]): Promise<void> {
    for (const name of names) {
      try {
        if (this.find(name)?.anonymous === true) await this.remove(name);
      } catch (error) {
        if (!(error instanceof CaissonError) || !['ECONFLICT', 'ENOTFOUND', 'EVOLUME'].includes(error.code))
          throw error;
      }
    }
  }

  /** Takes away what makers and removers have left that were killed. How many. */
  async tidy(): Promise<number> {
    const left = (this.disk.list(this.directory) ?? []).flatMap(({ name }) => {
      const path = `${this.directory}/${name}`;
      if (name.startsWith(GONE)) return [path];
      const modified = name.startsWith(NEW) ? this.disk.stat(path)?.modified : undefined;
      return modified !== undefined && Date.now() - modified > GRACE ? [path] : [];
    });
    await this.clear(left);
    const dead = useNotes(this.port, this.root).filter(({ alive }) => !alive);
    for (const { path, names } of dead) {
      this.disk.remove(path);
      await this.removeAnonymous(names);
    }
    return left.length + dead.length;
  }

  private async clear(paths: readonly Bytes[]): Promise<void> {
    if (paths.length === 0) return;
    const { channel } = await openFileLauncher(this.port, CAUSE);
    try {
      for (const path of paths)
        await removeTree(new Player(this.port, channel), path, `${GONE}${this.unique()}`);
    } finally {
      await channel.close();
    }
  }
}

/** The volumes of this caller. Throws as opening the store of images does: it is the same data root. */
export async function openVolumes(port: Port, dataRoot: Bytes | undefined): Promise<VolumeStore> {
  // Whoever opens the store sees to it that the data root is there, and nobody else's.
  return await withShop(port, { dataRoot }, async ({ store }) => {
    const { durability } = await storeLocation(port, dataRoot);
    return new VolumeStore(port, hostDisk(), store.root, durability !== 'off');
  });
}

function refusedName(name: Bytes, problem: string): CaissonError {
  return new CaissonError(`create ${bytesToUtf8(name)}: ${problem}`, { code: 'EUSAGE', exitCode: 1 });
}

/** Everybody may enter, whatever the umask; in a container of an ordinary user it is root's. */
async function makeData(player: Player, path: Bytes): Promise<void> {
  const data = slot('data');
  await player.play([
    step('parent', 'volume', `make ${path}`, CAUSE, [
      sys.mkdirat(sys.AT_FDCWD, path, 0o700),
      sys.openat(sys.AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, { result: data }),
      sys.fchmod(data, 0o755),
      sys.close(data),
    ]),
  ]);
}
