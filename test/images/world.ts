// One test file's store of images, with caisson on it, as root or as an ordinary user with subordinate ids.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  type Caller,
  type CallOptions,
  type Ended,
  Harness,
  type Started,
  succeeded,
} from '../harness/caisson.ts';

/** caisson with a data root of its own. */
export class World {
  readonly harness: Harness;
  readonly directory: string;
  readonly dataRoot: string;

  constructor(caller?: Caller) {
    this.harness = new Harness(caller);
    this.directory = this.harness.makeDirectory('world');
    chmodSync(this.directory, 0o755);
    this.dataRoot = `${this.directory}/data`;
    mkdirSync(`${this.directory}/docker`);
    this.harness.own(this.directory);
  }

  private options(options: CallOptions = {}): CallOptions {
    const env = {
      CAISSON_DATA_ROOT: this.dataRoot,
      DOCKER_CONFIG: `${this.directory}/docker`,
      HOME: this.directory,
      ...options.env,
    };
    return { timeout: 60_000, ...options, env };
  }

  call(args: readonly string[], options?: CallOptions): Ended {
    return this.harness.caisson(args, this.options(options));
  }

  /** It must succeed; its output without the last line break. */
  output(args: readonly string[], options?: CallOptions): string {
    return succeeded(this.call(args, options));
  }

  /** What it writes to standard output, however much; it must succeed. */
  bytes(args: readonly string[]): Buffer {
    const [program = '', ...words] = this.harness.commandLine(args);
    const env = { ...process.env, ...this.options().env };
    const { status, stdout, stderr } = spawnSync(program, words, { maxBuffer: 1 << 28, env });
    assert.equal(status, 0, stderr.toString());
    return stdout;
  }

  start(args: readonly string[], options: { readonly stdin?: 'pipe' } = {}): Started {
    return this.harness.start(args, { ...this.options(), ...options });
  }

  /** A file of the caller's. */
  file(name: string, content: Uint8Array | string): string {
    const path = `${this.directory}/${name}`;
    writeFileSync(path, content);
    chmodSync(path, 0o644);
    this.harness.own(path);
    return path;
  }

  /** Containers have left nothing. */
  assertNoPlaces(): void {
    const path = `${this.dataRoot}/containers`;
    assert.deepEqual(existsSync(path) ? readdirSync(path) : [], []);
  }

  /** How many blobs and layers there are. */
  counts(): readonly [blobs: number, layers: number] {
    const count = (name: string) => readdirSync(`${this.dataRoot}/${name}`).length;
    return [count('blobs/sha256'), count('layers')];
  }

  close(): void {
    this.assertNoPlaces();
    this.harness.close();
  }
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
