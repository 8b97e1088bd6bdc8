// Changes what a container's group of resctrl may use of caches and memory bandwidth (`runc update`).
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { groupOf, schemataCalls } from '../plan/compile/resctrl.ts';
import { step } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import { containerSpec, notRunning, type Target, withContainer } from './container.ts';
import { processFacts } from './facts.ts';

/**
 * Writes the lines to the group of the container. Throws CaissonError ENOTRUNNING when it has ended, EUNSUPPORTED where it
 * has no group, in runc's words for a flag; ESYSCALL when the kernel refuses a line.
 */
export function updateSchemata(
  port: Port,
  target: Target,
  lines: readonly Bytes[],
  refusal: string,
): Promise<void> {
  return withContainer(port, target, 'exclusive', async ({ player, container }) => {
    if (container.status === 'stopped' || container.status === 'creating') throw notRunning();
    const spec = containerSpec(port, target, container);
    const rdt = spec.linux?.intelRdt;
    const host = processFacts(port, spec, target.id).resctrl;
    if (rdt === undefined || host?.schemata === undefined)
      throw new CaissonError(refusal, { code: 'EUNSUPPORTED', exitCode: 1 });
    const group = groupOf(rdt, target.id, host.mountPoint);
    const title = `write the schemata of ${group}`;
    await player.play([step('parent', 'resctrl', title, 'option: update', schemataCalls(group, lines))]);
  });
}
