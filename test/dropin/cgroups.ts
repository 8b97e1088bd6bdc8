// The cgroups of a room on the host: made, thawed, removed; those of a test that was killed too.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { sleep } from './sleep.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';
const NAME = /^caisson-dropin-(\d+)-(\w+)$/;

/** A mounted hierarchy: `unified` for version 2, the mount options that choose it for version 1. */
export interface Hierarchy {
  readonly name: string;
  readonly directory: string;
}

/** All hierarchies of the host. */
export function hierarchies(): Hierarchy[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => ({ directory: line.split(' ')[4] ?? '', options: line.split(' ').at(-1) ?? '' }))
    .map(({ directory, options }) => ({
      directory,
      name:
        directory === `${CGROUP_ROOT}/unified`
          ? 'unified'
          : options.replace(/^rw,?/, '').replace('xattr,', ''),
    }));
}

/** Makes one in each hierarchy for the room in `/tmp/caisson-dropin-SUFFIX`; their paths. */
export function makeCgroups(suffix: string): string[] {
  return hierarchies().map(({ directory }) => {
    const path = `${directory}/caisson-dropin-${process.pid}-${suffix}`;
    mkdirSync(path);
    // A process cannot enter a cpuset without processors.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (directory.endsWith('/cpuset'))
        writeFileSync(`${path}/${file}`, readFileSync(`${directory}/${file}`));
    return path;
  });
}

/** From the leaves up. In a frozen cgroup of version 1 a killed process does not die. */
function removeTree(path: string): void {
  if (!existsSync(path)) return;
  try {
    if (existsSync(`${path}/freezer.state`)) writeFileSync(`${path}/freezer.state`, 'THAWED');
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(`${path}/${entry.name}`);
    rmdirSync(path);
  } catch {
    // Its last process is just dying; the caller tries again.
  }
}

/** Thaws what is below and removes it, as soon as it is empty. Returns what is left after ten seconds. */
export async function removeCgroups(paths: readonly string[]): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    for (const path of paths) removeTree(path);
    const left = paths.filter((path) => existsSync(path));
    if (left.length === 0 || tries === 300) return left;
    await sleep(33);
  }
}

/** What tests that were killed have left: their processes died with them, cgroups and directories did not. */
export function removeAbandoned(): void {
  for (const { directory } of hierarchies()) {
    for (const name of readdirSync(directory)) {
      const [, pid, suffix] = NAME.exec(name) ?? [];
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
      removeTree(`${directory}/${name}`);
      rmSync(`/tmp/caisson-dropin-${suffix}`, { recursive: true, force: true });
    }
  }
}
