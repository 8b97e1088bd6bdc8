// Files that the caller has named: what goes wrong with one is told with its path.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

/** Its content; undefined when there is none. Throws CaissonError EUSAGE when it cannot be read (a directory, EACCES). */
export function readGivenFile(port: Port, path: Bytes): Bytes | undefined {
  try {
    return port.readFile(path);
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    throw new CaissonError(`${path} cannot be read: ${code ?? message}`, { code: 'EUSAGE', cause: error });
  }
}
