// What one build has under way, and how its results enter the cache: when their files are on the disk, and not before.
//
// Directories carry the name of the program that made them, so that those of a build that was killed are known as such:
// the next build removes them. A result never moves: other stages mount it while it is written down.
import type { Disk } from '../../host/disk.ts';
import type { Port } from '../../host/port.ts';
import type { StoreKernel } from '../../image/store/kernel.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { identify, isAlive } from '../../runtime/state.ts';
import type { BuildPlaces } from './places.ts';
import { findStep, type KeptStep, readStep, writeKey, writeStep } from './steps.ts';

/** After so many milliseconds results are written down in between: it would be a pity to lose them. */
const COMMIT_AFTER = 5000;

export class Session {
  readonly places: BuildPlaces;
  /** For what is needed for a while only. */
  readonly directory: Bytes;
  private readonly port: Port;
  private readonly disk: Disk;
  private readonly kernel: StoreKernel;
  private readonly name: string;
  private readonly pending: KeptStep[] = [];
  private readonly found = new Map<string, KeptStep>();
  private keys: [key: string, step: KeptStep][] = [];
  private count = 0;
  private used = false;
  private readonly unfinished = new Set<Bytes>();
  private busy: Promise<void> = Promise.resolve();
  private lastCommit = Date.now();

  /** Makes the directories. Throws CaissonError `EDISK`. */
  constructor(port: Port, disk: Disk, kernel: StoreKernel, places: BuildPlaces) {
    this.port = port;
    this.disk = disk;
    this.kernel = kernel;
    this.places = places;
    for (const directory of places.all) disk.makeDirectory(directory, 0o700);
    const { pid, startTime } = identify(port, port.pid);
    const unique = [...port.random(4)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    this.name = `${namespaceOf(port)}-${pid}-${startTime}-${unique}`;
    this.directory = `${places.sessions}/${this.name}`;
  }

  /** A new directory that goes with the session. */
  room(name: string): Bytes {
    if (!this.used) this.disk.makeDirectory(this.directory, 0o700);
    this.used = true;
    const path = `${this.directory}/${this.count++}-${name}`;
    this.disk.makeDirectory(path, 0o700);
    return path;
  }

  /** A new directory for a result. Without `add` it goes with the session. */
  stepRoom(): Bytes {
    const path = `${this.places.steps}/${this.name}-${this.count++}`;
    this.disk.makeDirectory(path, 0o700);
    this.unfinished.add(path);
    return path;
  }

  /** The result of a key: of this build, or of an earlier one. */
  find(key: string): KeptStep | undefined {
    return this.found.get(key) ?? findStep(this.disk, this.places, key);
  }

  /** Another key of a result. */
  alias(key: string, step: KeptStep): void {
    if (this.found.get(key) === step) return;
    this.found.set(key, step);
    this.keys.push([key, step]);
  }

  /** Takes a finished result, whose directory is a `stepRoom`. */
  async add(step: KeptStep): Promise<void> {
    this.pending.push(step);
    this.unfinished.delete(step.directory);
    this.alias(step.key, step);
    if (Date.now() - this.lastCommit > COMMIT_AFTER) await this.commit();
  }

  /** Makes all finished results a part of the cache. Throws CaissonError `ESYSCALL` when the disk does not take them. */
  async commit(): Promise<void> {
    this.busy = this.busy.catch(() => undefined).then(() => this.commitNow());
    await this.busy;
  }

  private async commitNow(): Promise<void> {
    const steps = this.pending.splice(0);
    const keys = this.keys;
    this.keys = [];
    this.lastCommit = Date.now();
    // An overlay cleans its work directory up when it is unmounted, which may be after the end of the container.
    for (const { directory } of steps)
      if (this.disk.stat(`${directory}/work`) !== undefined)
        await this.kernel.removeTree(`${directory}/work`);
    if (steps.length > 0) await this.kernel.syncFileSystem(this.places.directory);
    for (const step of steps) writeStep(this.port, step);
    for (const [key, { directory }] of keys) writeKey(this.port, this.places, key, directory);
  }

  /** Removes what was needed for a while, and what builds that were killed have left. */
  async close(): Promise<void> {
    if (this.used) await this.kernel.removeTree(this.directory);
    for (const path of this.unfinished) await this.kernel.removeTree(path);
    for (const path of abandoned(this.port, this.disk, this.places)) await this.kernel.removeTree(path);
  }
}

/** The PID namespace: numbers of processes mean nothing beyond it. */
function namespaceOf(port: Port): number {
  return port.stat('/proc/self/ns/pid')?.ino ?? 0;
}

/**
 * Directories of builds that are no more: rooms, and results that were never finished. Of builds in another PID namespace
 * nobody can know, except who is `alone` with the store.
 */
export function abandoned(port: Port, disk: Disk, places: BuildPlaces, alone = false): Bytes[] {
  const own = namespaceOf(port);
  const dead = (name: Bytes) => {
    const [namespace = 0, pid = 0, startTime = 0] = name.split('-').map(Number);
    return alone || (namespace === own && !isAlive(port, { pid, startTime }));
  };
  const below = (directory: Bytes) =>
    (disk.list(directory) ?? []).filter(({ name }) => dead(name)).map(({ name }) => `${directory}/${name}`);
  return [
    ...below(places.sessions),
    ...below(places.steps).filter((directory) => readStep(disk, directory) === undefined),
  ];
}
