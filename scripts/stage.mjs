// Stages of set-up: what is done once, remembered by a hash of its inputs, and reported with its seconds.
//
// Plain Node 20 without any dependency: this runs before `npm ci`.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Path of the Bun that package.json pins; its postinstall script need not have run. */
export function bunPath() {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x64';
  const inside = join(root, 'node_modules/@oven', `bun-linux-${machine}`, 'bin/bun');
  return existsSync(inside) ? inside : join(root, 'node_modules/.bin/bun');
}

/** Where downloads and other people's programs are kept between clones, by a hash of their recipe. */
export function cacheDirectory() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return process.env.CAISSON_CACHE || join(base, 'caisson');
}

/** Hex digest of strings and of files' names and contents (`{ file: path }`, relative to the repository). */
export function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) {
    if (typeof part === 'string') {
      hash.update(`s${part.length}:${part}`);
    } else {
      const path = join(root, part.file);
      hash.update(`f${part.file}:`);
      hash.update(existsSync(path) ? readFileSync(path) : 'absent');
    }
  }
  return hash.digest('hex');
}

/** Files below `directory` whose name matches `pattern`, sorted; all relative to `base`, the repository. */
export function filesBelow(directory, pattern = /./, base = root) {
  const found = [];
  const walk = (relative) => {
    for (const entry of readdirSync(join(base, relative), { withFileTypes: true })) {
      const path = `${relative}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (pattern.test(entry.name)) found.push(path);
    }
  };
  if (existsSync(join(base, directory))) walk(directory);
  return found.sort();
}

/** Runs a program with this one's standard streams; throws when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0)
    throw new Error(`${[command, ...args].join(' ')} failed: ${result.signal ?? result.status}`);
  return result;
}

/** Standard output of a program as trimmed text, or null when it is absent or fails. */
export function outputOf(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** Is `command` found in PATH, or in the places where Debian puts root's programs? */
export function findProgram(command) {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, command)).find((path) => existsSync(path)) ?? null;
}

/**
 * Does `action` unless the same inputs were done before and every output is still there.
 * @param {{name: string, inputs: (string | {file: string})[], outputs: string[], action: () => void}} what
 * @returns whether anything was done
 */
export function stage({ name, inputs, outputs, action }) {
  const stamp = join(root, 'build', '.stamps', name);
  const hash = hashOf([...inputs, ...outputs]);
  const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (done && outputs.every((path) => existsSync(join(root, path)))) return false;
  timed(name, action);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  return true;
}

/** Runs `action` between a line that says what begins and a line that says how long it took. */
export function timed(name, action) {
  process.stderr.write(`setup: ${name} ...\n`);
  const start = performance.now();
  const result = action();
  process.stderr.write(`setup: ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  return result;
}

/** Runs `main` with the arguments when the file `url` is the program that was started; an error is one line. */
export async function asProgram(url, main) {
  if (process.argv[1] !== fileURLToPath(url)) return;
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Holds the lock file `path` while `action` runs; waits for a living holder, takes over from a dead one. */
export function withLock(path, action) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = 0; !tryLock(path); waited++) {
    if (waited === 10) process.stderr.write(`setup: waiting for the process that holds ${path}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    return action();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryLock(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const holder = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // An empty file is one whose holder is just writing its id.
  if (holder !== '' && !existsSync(`/proc/${holder}`)) rmSync(path, { force: true });
  return false;
}
