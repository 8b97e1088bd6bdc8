// `caisson cgroup move`: a running process gets into other cgroups, those of a container perhaps.
import { directoryOf } from '../cgroups/layout.ts';
import { moveSteps } from '../cgroups/move.ts';
import { type Cgroup, describeCgroups } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { withLauncher } from '../runtime/removal.ts';
import { CaissonError } from '../spec/error.ts';
import { containerCgroups, layoutOf } from './cgroup-target.ts';

/**
 * Moves a process into a cgroup path, as /proc/PID/cgroup prints it, or into the cgroups of a container. On cgroup v1
 * it moves in each hierarchy that has the path. Throws CaissonError ENOTFOUND where none has it.
 */
export async function cgroupMove(port: Port, stateRoot: Bytes, pid: number, target: Bytes): Promise<Bytes> {
  if (port.readFile(`/proc/${pid}/cgroup`) === undefined) {
    throw new CaissonError(`there is no process ${pid}`, { code: 'ENOTFOUND' });
  }
  const cgroups = target.startsWith('/')
    ? cgroupsAtPath(port, target)
    : containerCgroups(port, stateRoot, target);
  const present = cgroups.filter(({ directory }) => port.stat(directory) !== undefined);
  if (present.length === 0) {
    throw new CaissonError(
      `no hierarchy has the cgroup ${target}: make it with mkdir below /sys/fs/cgroup first`,
      {
        code: 'ENOTFOUND',
      },
    );
  }
  await withLauncher(port, (player) => player.play(moveSteps(pid, present)));
  return `moved process ${pid} to ${describeCgroups(present).join(' and ')}`;
}

function cgroupsAtPath(port: Port, path: Bytes): Cgroup[] {
  if (path.split('/').includes('..'))
    throw new CaissonError(`the cgroup ${path} contains "..": give it without`, { code: 'EUSAGE' });
  return layoutOf(port).hierarchies.flatMap((hierarchy) => {
    const directory = directoryOf(hierarchy, path.replace(/(?<=.)\/+$/, ''));
    if (directory === undefined) return [];
    const { version, controllers, mountPoint } = hierarchy;
    return [{ version, controllers, directory, parents: [], base: mountPoint }];
  });
}
