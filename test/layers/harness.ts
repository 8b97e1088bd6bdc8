// What the tests of layers share: places to unpack in, callers with and without root, and a program that lists trees.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { AnswerReader } from '../../src/host/answers.ts';
import { nodePort } from '../../src/host/node.ts';
import type { Channel, Ended, Port, RawAnswer } from '../../src/host/port.ts';
import { type AppliedLayer, type ApplyOptions, applyLayer } from '../../src/image/layer/apply.ts';
import { OCI_LAYER } from '../../src/spec/media-types.ts';

const LAUNCHER = join(process.cwd(), 'build/launcher');

export const skip = process.getuid?.() === 0 ? false : 'these tests need root, to be root and others';

/** Somebody who unpacks: root, a user with subordinate ids, and one without. */
export type Caller = 'root' | 'user' | 'stranger';

/** An id that no user of the machine has. */
const STRANGER = 65532;

export function idsOf(caller: Caller): readonly [number, number] {
  if (caller === 'root') return [0, 0];
  if (caller === 'stranger') return [STRANGER, STRANGER];
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('caisson-test:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  assert.ok(uid !== undefined && gid !== undefined, 'set-up makes the user caisson-test');
  return [Number(uid), Number(gid)];
}

/** The first subordinate id of caisson-test: it is 1 in a namespace of theirs. */
export function firstSubordinate(): number {
  const line = readFileSync('/etc/subuid', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('caisson-test:'));
  return Number(line?.split(':')[1]);
}

class CallerChannel implements Channel {
  readonly pid: number;
  private readonly child: ReturnType<typeof spawn>;
  private readonly stream: Duplex;
  private readonly reader = new AnswerReader();
  private readonly waiting: ((answer: RawAnswer | undefined) => void)[] = [];
  private readonly answers: (RawAnswer | undefined)[] = [];

  /** `prepare` is a shell command that root runs first, in a mount namespace of the launcher's own. */
  constructor(uid: number, gid: number, prepare: string) {
    const drop = uid === 0 ? '' : `setpriv --reuid ${uid} --regid ${gid} --clear-groups`;
    const script = `${prepare} && exec ${drop} "$0"`;
    this.child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, LAUNCHER], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: '/',
    });
    this.pid = this.child.pid ?? -1;
    this.stream = this.child.stdio[3] as Duplex;
    const give = (answer: RawAnswer | undefined) => {
      const receiver = this.waiting.shift();
      if (receiver === undefined) this.answers.push(answer);
      else receiver(answer);
    };
    this.stream.on('data', (chunk: Buffer) => {
      this.reader.push(chunk);
      for (let next = this.reader.next(); next !== undefined; next = this.reader.next()) give(next);
    });
    this.stream.on('end', () => give(undefined));
    this.stream.on('error', () => give(undefined));
  }

  send(bytes: Uint8Array): void {
    this.stream.write(bytes);
  }

  receive(): Promise<RawAnswer | undefined> {
    if (this.answers.length > 0) return Promise.resolve(this.answers.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.on('close', resolve));
    this.stream.destroy();
    if (this.child.exitCode === null && this.child.signalCode === null) await ended;
  }

  captured(): Promise<{ stdout: string; stderr: string }> {
    return Promise.resolve({ stdout: '', stderr: '' });
  }
}

/** The port of a caller. */
export function portOf(caller: Caller, prepare = ':'): Port {
  const [uid, gid] = idsOf(caller);
  const port = nodePort();
  return {
    ...port,
    uid,
    gid,
    openChannel: () => new CallerChannel(uid, gid, prepare),
    spawn: (program, args): Ended => {
      const options = { uid, gid, env: {}, encoding: 'latin1' as const };
      const { status, stdout, stderr } = spawnSync(program, args, options);
      return { exitCode: status ?? -1, signal: 0, stdout, stderr };
    },
  };
}

/** A directory of the caller's, removed after the test. */
export function place(t: { after(done: () => void): void }, caller: Caller = 'root'): string {
  const base = mkdtempSync('/tmp/caisson-layers-');
  // Node's own removal runs out of stack in a tree that is deep.
  t.after(() => execFileSync('rm', ['-rf', base]));
  chmodSync(base, 0o755);
  const [uid, gid] = idsOf(caller);
  chownSync(base, uid, gid);
  return base;
}

/** A new, empty directory in a place. */
export function directory(base: string, name: string, caller: Caller = 'root'): string {
  const path = join(base, name);
  mkdirSync(path, { mode: 0o755 });
  const [uid, gid] = idsOf(caller);
  chownSync(path, uid, gid);
  return path;
}

export async function* inChunks(bytes: Uint8Array, size = 65536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface Unpacking extends Partial<ApplyOptions> {
  readonly caller?: Caller;
  readonly mediaType?: string;
  readonly chunk?: number;
  readonly prepare?: string;
}

/** Applies a layer. */
export function apply(archive: Uint8Array, target: string, options: Unpacking = {}): Promise<AppliedLayer> {
  const { caller = 'root', mediaType = OCI_LAYER, chunk, prepare, ...more } = options;
  return applyLayer(portOf(caller, prepare), inChunks(archive, chunk), mediaType, target, {
    cause: 'test',
    form: 'overlay',
    ...more,
  });
}

/** The static program made of tree.c. */
export function treeProgram(): string {
  const source = join(process.cwd(), 'test/layers/tree.c');
  const made = join(process.cwd(), 'build/test-layers-tree');
  if (existsSync(made) && statSync(made).mtimeMs > statSync(source).mtimeMs) return made;
  const temporary = `${made}.${process.pid}`;
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-static', '-o', temporary, source]);
  renameSync(temporary, made);
  return made;
}

/** Everything about the files of a tree, one line each, without the tree's own root. */
export function listing(path: string): string[] {
  const text = execFileSync(treeProgram(), [path], { encoding: 'latin1', maxBuffer: 1 << 28 });
  return text.trimEnd().split('\n').slice(1);
}

/** A layer that is put together by tar(1) from what a shell script makes. */
export function packed(
  base: string,
  name: string,
  script: string,
  flags: readonly string[] = [],
): Uint8Array {
  const source = directory(base, `source-${name}`);
  const archive = join(base, `${name}.tar`);
  writeFileSync(join(base, `${name}.sh`), `set -e\ncd "$1"\n${script}\n`);
  execFileSync('sh', [join(base, `${name}.sh`), source, treeProgram()]);
  execFileSync('tar', ['-c', '-f', archive, ...flags, '-C', source, '.']);
  return new Uint8Array(readFileSync(archive));
}
