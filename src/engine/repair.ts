// `caisson system repair`: takes away what runs have left that were killed together with their keeper.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { cgroupsInUse, clear, lockStateRoot, type Tell } from '../runtime/abandoned.ts';
import type { Player } from '../runtime/player.ts';
import { sleep, withLauncher } from '../runtime/removal.ts';
import { type ContainerRecord, checkStateRoot, isKept, load, unclaimed } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';

export interface RepairOptions {
  readonly stateRoot: Bytes;
  /** Only says what would be done. */
  readonly dryRun: boolean;
}

/**
 * A run makes its directory and then, within microseconds, writes its record into it. A directory that is still empty
 * after so many milliseconds has no maker any more; if it has, its run fails before it has made anything else.
 */
const GRACE = 1000;

interface Found {
  readonly records: readonly ContainerRecord[];
  /** Directories without a record. */
  readonly empty: readonly Bytes[];
}

/**
 * Looks at every record: one whose keeper lives is left alone, a damaged or newer one is reported. The result is one
 * line for each thing done.
 */
export async function repair(port: Port, { stateRoot, dryRun }: RepairOptions): Promise<Bytes[]> {
  const lines: Bytes[] = [];
  const tell: Tell = (line) => {
    lines.push(line);
  };
  if (port.stat(stateRoot) === undefined) return lines;
  checkStateRoot(port, stateRoot);
  await withLauncher(port, async (player) => {
    await lockStateRoot(player, stateRoot);
    const found = survey(port, stateRoot, tell);
    await clearDead(port, player, found.records, { stateRoot, dryRun }, tell);
    await clearEmpty(port, found.empty, { stateRoot, dryRun }, tell);
    for (const name of unclaimed(port, stateRoot)) {
      if (!dryRun) port.remove(`${stateRoot}/${name}`);
      tell(
        `${name}: ${dryRun ? 'would remove' : 'removed'} ${stateRoot}/${name}, whose command died before it had the id`,
      );
    }
  });
  return lines;
}

/** What a run makes beside its record, and may leave when it is killed while it removes them. */
const FILES: readonly Bytes[] = [
  ...['rootfs', 'hosts', 'hostname', 'resolv.conf'],
  ...['config.json', 'start', 'attach'],
];

/** Nothing but what a run makes: any other directory is none of caisson's. */
function isUnfinished(names: readonly Bytes[]): boolean {
  return names.every(
    (name) =>
      FILES.includes(name) ||
      name.startsWith('secret-') ||
      (name.startsWith('state.json.') && name.endsWith('.tmp')),
  );
}

function survey(port: Port, stateRoot: Bytes, tell: Tell): Found {
  const records: ContainerRecord[] = [];
  const empty: Bytes[] = [];
  for (const id of [...port.list(stateRoot)].sort()) {
    // Records that wait for their id, and notes of parents: of no container.
    if (id.startsWith('.')) continue;
    if (port.stat(`${stateRoot}/${id}`)?.type !== 'directory') {
      tell(`${id}: left alone: not a directory`);
      continue;
    }
    try {
      const record = load(port, stateRoot, id);
      if (record !== undefined) records.push(record);
      else if (isUnfinished(port.list(`${stateRoot}/${id}`))) empty.push(id);
      else tell(`${id}: left alone: it has no record, and is not empty`);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      tell(`${id}: left alone: ${error.message}`);
    }
  }
  return { records, empty };
}

async function clearDead(
  port: Port,
  player: Player,
  records: readonly ContainerRecord[],
  { stateRoot, dryRun }: RepairOptions,
  tell: Tell,
): Promise<void> {
  const taken = cgroupsInUse(port, stateRoot);
  for (const record of records.filter((one) => !isKept(port, one))) {
    try {
      await clear(port, player, record, { stateRoot, taken, locked: true, rehearsal: dryRun }, tell);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      tell(`${record.id}: left for the next time: ${error.message}`);
    }
  }
}

async function clearEmpty(
  port: Port,
  ids: readonly Bytes[],
  { stateRoot, dryRun }: RepairOptions,
  tell: Tell,
): Promise<void> {
  if (ids.length > 0 && !dryRun) await sleep(port, GRACE);
  for (const id of ids) {
    const directory = `${stateRoot}/${id}`;
    if (port.stat(`${directory}/state.json`) !== undefined) continue;
    if (!dryRun) port.remove(directory);
    tell(`${id}: ${dryRun ? 'would remove' : 'removed'} ${directory}, which has no record`);
  }
}
