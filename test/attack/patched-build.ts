// caisson from a copy of its source in which fragments of text are replaced: builds that are broken on purpose.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { REPOSITORY } from './programs.ts';

/** One change of the source: the fragment must be there exactly once. */
export interface Patch {
  /** Relative to the repository. */
  readonly file: string;
  readonly fragment: string;
  readonly replacement: string;
}

export interface PatchedBuild {
  readonly program: string;
  readonly remove: () => void;
}

/** A fragment matches whatever the formatter makes of its white space and trailing commas. */
function pattern(fragment: string): RegExp {
  const tokens = fragment.match(/\w+|[^\w\s]/g) ?? [];
  const kept = tokens.filter((token, index) => token !== ',' || !/^[)\]}]$/.test(tokens[index + 1] ?? ''));
  const parts = kept.map((token) => {
    const literal = token.replace(/[^\w]/g, '\\$&');
    return /^[)\]}]$/.test(token) ? `,?\\s*${literal}` : literal;
  });
  return new RegExp(parts.join('\\s*'), 'g');
}

/** The source with the fragment replaced. Throws where it is not there exactly once: the table is out of date. */
export function patched({ file, fragment, replacement }: Patch, source: string): string {
  const found = source.match(pattern(fragment))?.length ?? 0;
  if (found !== 1) throw new Error(`${file} has the fragment ${found} times: ${fragment}`);
  return source.replace(pattern(fragment), () => replacement);
}

/** Builds with these patches, in a directory that anybody may enter. */
export function patchedBuild(patches: readonly Patch[]): PatchedBuild {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-broken-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    chmodSync(directory, 0o755);
    cpSync(join(REPOSITORY, 'src'), join(directory, 'src'), { recursive: true });
    for (const name of [
      ...['build/launcher.base64', 'build/init.base64', 'build/monitor.base64', 'package.json'],
    ]) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      copyFileSync(join(REPOSITORY, name), join(directory, name));
    }
    symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
    if (patches.some(({ file }) => file.startsWith('launcher/')))
      cpSync(join(REPOSITORY, 'launcher'), join(directory, 'launcher'), { recursive: true });
    for (const patch of patches) {
      const path = join(directory, patch.file);
      writeFileSync(path, patched(patch, readFileSync(path, 'utf8')));
    }
    if (existsSync(join(directory, 'launcher'))) buildLauncher(directory);
    const program = join(directory, 'caisson');
    execFileSync(bun(), ['build', '--compile', 'src/cli/main.ts', '--outfile', program], {
      cwd: directory,
      stdio: 'pipe',
    });
    return { program, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

const FREESTANDING = [
  '-Os',
  '-std=c11',
  '-static',
  '-nostdlib',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-tree-loop-distribute-patterns',
];

function buildLauncher(directory: string): void {
  const made = join(directory, 'build/launcher');
  execFileSync('gcc', [...FREESTANDING, '-s', '-o', made, 'launcher/launcher.c'], { cwd: directory });
  writeFileSync(`${made}.base64`, readFileSync(made).toString('base64'));
}

function bun(): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x64';
  const inside = join(REPOSITORY, 'node_modules/@oven', `bun-linux-${machine}`, 'bin/bun');
  return existsSync(inside) ? inside : join(REPOSITORY, 'node_modules/.bin/bun');
}
