// The attackers' C programs, compiled once per source.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository: this file runs from test/attack/ and from build/test/attack/. */
export const REPOSITORY = findRepository(dirname(fileURLToPath(import.meta.url)));

function findRepository(from: string): string {
  return existsSync(join(from, 'launcher/launcher.c')) ? from : findRepository(dirname(from));
}

/** A path of test/attack. */
export const attackFile = (name: string): string => join(REPOSITORY, 'test/attack', name);

/** The static program made of test/attack/NAME.c. */
export function attackProgram(name: 'probe' | 'syscalls'): string {
  const source = attackFile(`${name}.c`);
  const made = join(REPOSITORY, 'build', `attack-${name}`);
  if (existsSync(made) && statSync(made).mtimeMs > statSync(source).mtimeMs) return made;
  mkdirSync(dirname(made), { recursive: true });
  const temporary = `${made}.${process.pid}`;
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-static', '-o', temporary, source]);
  renameSync(temporary, made);
  return made;
}
