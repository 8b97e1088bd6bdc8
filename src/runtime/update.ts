// Changes the limits of a container that is there (`runc update`).
import type { Cgroup } from '../cgroups/path.ts';
import type { PlacedLimit } from '../cgroups/resources.ts';
import type { Contents } from '../cgroups/statistics.ts';
import { restoreSteps, updateFiles, updateLimits, updateSteps, writtenFiles } from '../cgroups/update.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO, errnoText } from '../linux/errno.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { notRunning, type Target, withContainer } from './container.ts';
import { failure } from './failure.ts';
import type { Player } from './player.ts';
import { changesOf, containerResources, keepResources, mergeResources } from './resources.ts';

/**
 * Writes the limits that are given and notes them beside the configuration, for later updates. A paused container
 * stays paused; device rules are left alone, as in runc. Returns warnings: fields without effect on this kernel.
 *
 * Throws CaissonError ENOTRUNNING when the container has ended, EINVALIDSPEC and EUNSUPPORTED for values that cannot
 * be set, ELIMIT when the kernel refuses one: what was written before it is then put back.
 */
export function updateContainer(port: Port, target: Target, changes: LinuxResources): Promise<string[]> {
  return withContainer(port, target, 'exclusive', async ({ player, container }) => {
    const { status, record } = container;
    if (status === 'stopped' || status === 'creating') throw notRunning();
    if (record.cgroups.length === 0) {
      throw new CaissonError('cannot set limits: container could not join or create cgroup', {
        code: 'EUNSUPPORTED',
        exitCode: 1,
      });
    }
    const merged = mergeResources(containerResources(port, target), changes);
    const { limits, ignored } = updateLimits(
      changesOf(changes, merged),
      record.cgroups,
      contentsOf(port, updateFiles(record.cgroups)),
    );
    await writeLimits(port, player, limits);
    keepResources(port, target, merged);
    return ignored.map(({ provenance, reason }) => `${provenance}: ${reason}`);
  });
}

async function writeLimits(port: Port, player: Player, limits: readonly PlacedLimit[]): Promise<void> {
  if (limits.length === 0) return;
  const before = contentsOf(port, writtenFiles(limits));
  const steps = updateSteps(limits);
  const batch = await player.send(steps);
  const answer = await player.receive(true);
  if (answer.kind === 'done') return;
  const record = batch.records[answer.index];
  const failed = record === undefined ? -1 : steps.indexOf(record.step);
  const refused = limits[failed];
  if (refused === undefined) throw failure(batch, answer, 1);
  const error = refusal(port, refused, answer.errno);
  const restored = restoreSteps(limits.slice(0, failed), before);
  if (restored.length > 0) await player.play(restored).catch(() => undefined);
  throw error;
}

/** The kernel's no, with the file that it was said for, in runc's words. */
function refusal(port: Port, { cgroup, limit }: PlacedLimit, errno: number): CaissonError {
  const { file, text, provenance } = limit;
  const message =
    errno === ERRNO.EBUSY && file === 'memory.limit_in_bytes'
      ? belowUsage(port, cgroup, text)
      : `failed to write "${text}": write ${cgroup.directory}/${file}: ${errnoText(errno)}`;
  return new CaissonError(message, {
    code: 'ELIMIT',
    errno,
    provenance: [provenance],
    exitCode: 1,
  });
}

/** v1 gives back what it can before it refuses (mem_cgroup_resize_max); engines know this text from runc. */
function belowUsage(port: Port, { directory }: Cgroup, text: Bytes): string {
  const [usage, peak] = ['memory.usage_in_bytes', 'memory.max_usage_in_bytes'].map((name) =>
    (port.readFile(`${directory}/${name}`) ?? '').trim(),
  );
  return `unable to set memory limit to ${text} (current usage: ${usage}, peak usage: ${peak})`;
}

function contentsOf(port: Port, files: readonly Bytes[]): Contents {
  return new Map(files.map((file) => [file, readable(port, file)]));
}

/** Some files can only be written. */
function readable(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file);
  } catch {
    return undefined;
  }
}
