// What the tests of the store on a real disk share: images, a disk that counts its changes, programs that use a store.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Disk, DiskFile } from '../../src/host/disk.ts';
import { nodePort } from '../../src/host/node.ts';
import { hostDisk } from '../../src/host/node-disk.ts';
import type { Port } from '../../src/host/port.ts';
import { builtPrograms, readProgram } from '../../src/host/programs.ts';
import { type TestImage, testImage } from '../../src/image/store/image.testing.ts';
import { openStore, type Store } from '../../src/image/store/store.ts';

export const LONG = process.env.CAISSON_LONG === '1';

/** Images that share their lowest layer. */
export const images: Readonly<Record<string, TestImage>> = {
  one: testImage('one', ['shared '.repeat(1000), 'one '.repeat(2000), 'top of one']),
  two: testImage('two', ['shared '.repeat(1000), 'two '.repeat(2000)]),
  three: testImage('three', ['three '.repeat(100)]),
};

function steppingFile(file: DiskFile, step: (what: string) => void): DiskFile {
  return {
    size: () => file.size(),
    read: (into, position) => file.read(into, position),
    write: (bytes, position) => {
      step('write');
      file.write(bytes, position);
    },
    truncate: (size) => {
      step('truncate');
      file.truncate(size);
    },
    sync: () => {
      step('sync');
      return file.sync();
    },
    close: () => {
      file.close();
    },
  };
}

/** The same disk; `step` is called before each change. */
export function stepping(disk: Disk, step: (what: string) => void): Disk {
  const before = <A extends readonly unknown[], R>(what: string, work: (...args: A) => R) => {
    return (...args: A): R => {
      step(what);
      return work(...args);
    };
  };
  return {
    ...disk,
    update: before('update', (path: string, mode: number) => steppingFile(disk.update(path, mode), step)),
    create: before('create', (path: string, mode: number) => steppingFile(disk.create(path, mode), step)),
    makeDirectory: before('mkdir', disk.makeDirectory),
    rename: before('rename', disk.rename),
    remove: before('unlink', disk.remove),
    removeDirectory: before('rmdir', disk.removeDirectory),
    syncDirectory: before('sync directory', disk.syncDirectory),
  };
}

/** The port of this process, as the library opens it. */
export async function port(): Promise<Port> {
  const { launcher, init } = builtPrograms();
  if (process.versions.bun === undefined) return nodePort({ launcher, init });
  const { bunPort } = await import('../../src/host/bun.ts');
  return bunPort({ launcher: () => readProgram(launcher), init: () => readProgram(init) });
}

/** A directory for a test; `fast` in memory, where many files are made and the disk is not what is tested. */
export function makeTemporary(fast = false): string {
  const base = fast && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  return mkdtempSync(`${base}/caisson-store-`);
}

export async function openReal(root: string): Promise<Store> {
  return await openStore(await port(), hostDisk(), { root });
}

const WORKER = fileURLToPath(import.meta.url).replace(/world\.(.s)$/, 'worker.$1');

export interface WorkerEnded {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Runs worker.ts; `prefix` is a command that runs it. */
export async function work(task: object, prefix: readonly string[] = []): Promise<WorkerEnded> {
  const [program = '', ...args] = [...prefix, process.execPath, WORKER, JSON.stringify(task)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString('latin1');
    });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const lines = output.stdout.split('\n').filter((line) => line !== '');
  return { code, signal, lines, stderr: output.stderr };
}
