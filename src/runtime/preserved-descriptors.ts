// Descriptors that the caller asks to pass on: they must be its own, and not what a command opens meanwhile.
import type { Port } from '../host/port.ts';
import { CaissonError } from '../spec/error.ts';

/**
 * To be called before a command opens anything: the next numbers that are free become the launcher's channel, and
 * whoever holds that in a container plays system calls on the host. Throws CaissonError EUSAGE, in runc's words.
 */
export function checkPreserved(port: Pick<Port, 'stat'>, count: number): void {
  for (let index = 0; index < count; index++) {
    if (port.stat(`/proc/self/fd/${3 + index}`) !== undefined) continue;
    throw new CaissonError(`unable to stat preserved-fd ${index} (of ${count}): no such file or directory`, {
      code: 'EUSAGE',
      sources: ['--preserve-fds'],
      exitCode: 1,
    });
  }
}
