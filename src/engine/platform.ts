// Says why a root of another processor or operating system cannot run: containers share this host's kernel.
import type { Port } from '../host/port.ts';
import { foreignPlatform, platformFindings, platformProbe } from '../image/platform.ts';
import { ERRNO } from '../linux/errno.ts';
import { bufferBytes, slotValue } from '../plan/encode.ts';
import type { Prepared } from '../runtime/prepare.ts';
import { withLauncher } from '../runtime/removal.ts';
import { CaissonError } from '../spec/error.ts';

/** What execve(2) answers to a foreign program: no format, or no interpreter (its ELF one is for no root of ours). */
const SUSPICIOUS: readonly (number | undefined)[] = [ERRNO.ENOEXEC, ERRNO.ENOENT];

/**
 * The failure with its reason, where the programs of the root tell one. The launcher looks at them, inside the root;
 * where they cannot be looked at, the failure is all there is.
 */
export async function explainForeignRoot(port: Port, error: unknown, { spec }: Prepared): Promise<unknown> {
  if (!(error instanceof CaissonError) || error.syscall !== 'execve' || !SUSPICIOUS.includes(error.errno))
    return error;
  const probe = platformProbe(spec.root?.path ?? '/', spec.process?.args?.[0], '/root/path');
  try {
    // The start's own launcher has ended with its failure.
    const { batch, answer } = await withLauncher(port, (player) => player.play(probe.steps));
    const found = platformFindings(
      probe,
      (slot) => slotValue(batch, answer, slot),
      (buffer, length) => bufferBytes(batch, answer, buffer, length),
    );
    return foreignPlatform(found, port.arch, '/root/path') ?? error;
  } catch {
    return error;
  }
}
