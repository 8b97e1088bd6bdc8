// Images of a real Debian for tests: built by `caisson build` from an archive that debootstrap has made once.
//
//   const image = debianImage(world, 'postgres:1', { packages: ['postgresql'], lines: ['USER postgres'] });
//
// The archive is in the cache (scripts/debian-tree.mjs), by its packages; with packages that nobody has asked for before it
// takes minutes, so that only the long round should ask for those.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { World } from '../images/world.ts';

/** Why there is no Debian here; false where there is, or can be made. */
export const debianMissing: string | false =
  process.getuid?.() === 0
    ? spawnSync('debootstrap', ['--version']).error !== undefined && 'debootstrap is not installed'
    : 'debootstrap needs root';

export interface DebianOptions {
  /** Debian packages beside those of a minimal system. */
  readonly packages?: readonly string[];
  /** Further lines of the Dockerfile. */
  readonly lines?: readonly string[];
  /** Files of the context, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further arguments of `caisson build`. */
  readonly args?: readonly string[];
  /** Milliseconds; default two minutes. */
  readonly timeout?: number;
}

/** The archive with these packages; made when it is not there. */
export function debianArchive(packages: readonly string[] = []): string {
  const made = spawnSync(process.execPath, ['scripts/debian-tree.mjs', ...packages], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  return made.stdout.trim();
}

/** A context with a Dockerfile that begins with the archive. */
export function debianContext(world: World, name: string, options: DebianOptions = {}): string {
  const archive = debianArchive(options.packages);
  const context = join(world.directory, `debian-${name.replace(/[^a-z0-9]/g, '-')}`);
  rmSync(context, { recursive: true, force: true });
  mkdirSync(context);
  // A copy: the context becomes the caller's, and the cache stays root's.
  copyFileSync(archive, join(context, basename(archive)));
  const lines = ['FROM scratch', `ADD ${basename(archive)} /`, 'CMD ["/bin/bash"]', ...(options.lines ?? [])];
  const files = { Dockerfile: `${lines.join('\n')}\n`, ...options.files };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(context, file), content);
  for (const file of ['', ...Object.keys(files)]) world.harness.own(join(context, file));
  return context;
}

/** Builds an image `name` in the world's store; what the build has said. */
export function debianImage(world: World, name: string, options: DebianOptions = {}): string {
  const context = debianContext(world, name, options);
  const args = ['build', '--progress', 'plain', '-t', name, ...(options.args ?? []), context];
  const ended = world.call(args, { timeout: options.timeout ?? 120_000 });
  assert.equal(ended.code, 0, ended.stderr);
  rmSync(context, { recursive: true });
  return ended.stderr;
}
