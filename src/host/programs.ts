// Where the static programs lie on disk, beside the built JavaScript or below the source tree.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Absolute paths of the launcher, of PID 1 for `--init`, and of the monitor of a detached container. */
export interface ProgramPaths {
  readonly launcher: string;
  readonly init: string;
  /** A host may do without: it then has no containers that outlive their command. */
  readonly monitor?: string;
}

/**
 * `build/launcher` beside `build/src/host/programs.js`, or below the root of a source tree that Bun runs as it is; in an
 * installed package those of this processor, whose hashes are checked against the ones that it was packed with. Throws
 * Error where one is missing or another.
 */
export function builtPrograms(): Required<ProgramPaths> {
  const candidates = ['../../build/', '../../'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const directory = candidates.find((path) => existsSync(`${path}launcher`));
  if (directory !== undefined) return pathsIn(directory);
  const packed = fileURLToPath(new URL('../../programs/', import.meta.url));
  if (!existsSync(`${packed}hashes.json`))
    throw new Error('the launcher has not been built: run `npm run build`');
  checkPacked(packed);
  return pathsIn(`${packed}${process.arch}/`);
}

function pathsIn(directory: string): Required<ProgramPaths> {
  const path = (name: string) => `${directory}${name}`;
  return { launcher: path('launcher'), init: path('init'), monitor: path('monitor') };
}

/** What was packed is what is run: a package that was changed or unpacked half-way is told, and not executed. */
function checkPacked(packed: string): void {
  const recorded = JSON.parse(readFileSync(`${packed}hashes.json`, 'utf8')) as Record<string, string>;
  for (const name of ['launcher', 'init', 'monitor']) {
    const own = `${process.arch}/${name}`;
    const bytes = existsSync(`${packed}${own}`) ? readFileSync(`${packed}${own}`) : undefined;
    const hash = bytes && createHash('sha256').update(bytes).digest('hex');
    if (hash === undefined) throw new Error(`${packed}${own} is missing: install the package again`);
    if (hash !== recorded[own])
      throw new Error(`${packed}${own} is not what was packed (SHA-256 ${hash}): install the package again`);
  }
}

/** The bytes of one of them. */
export function readProgram(path: string): Uint8Array {
  return readFileSync(path);
}
