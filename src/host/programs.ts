// Where the static programs lie on disk, beside the built JavaScript or below the source tree.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Absolute paths of the launcher, of PID 1 for `--init`, and of the monitor of a detached container. */
export interface ProgramPaths {
  readonly launcher: string;
  readonly init: string;
  /** A host may do without: it then has no containers that outlive their command. */
  readonly monitor?: string;
}

/** `build/launcher` beside `build/src/host/programs.js`, or below the root of a source tree that Bun runs as it is. */
export function builtPrograms(): Required<ProgramPaths> {
  const candidates = ['../../build/', '../../'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const directory = candidates.find((path) => existsSync(`${path}launcher`));
  if (directory === undefined) throw new Error('the launcher has not been built: run `npm run build`');
  const path = (name: string) => `${directory}${name}`;
  return { launcher: path('launcher'), init: path('init'), monitor: path('monitor') };
}

/** The bytes of one of them. */
export function readProgram(path: string): Uint8Array {
  return readFileSync(path);
}
