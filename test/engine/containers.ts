// One test file's containers that stay: a data root and a runtime root of its own, on `host` or on its root file system.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Ended } from '../harness/caisson.ts';
import { World } from '../images/world.ts';

export { long, rounds } from '../attack/arena.ts';
export { once, rootless, rootOnly, skip } from '../harness/caisson.ts';

/** What lies on disk of one container. */
export interface OnDisk {
  readonly place: string;
  readonly run?: { readonly number: number; readonly restarts: number };
  readonly exited?: {
    readonly run: number;
    readonly code: number;
    readonly signal: number;
    readonly oom: boolean;
  };
}

export class Containers extends World {
  /** `run -d` of a shell script; its name. */
  detached(flags: readonly string[], script: string): string {
    const name = `box-${this.count++}`;
    const root = ['--rootfs', this.harness.rootfs];
    this.output(['run', '-d', '--name', name, ...flags, ...root, '/bin/sh', '-c', script]);
    return name;
  }

  private count = 0;

  /** The id behind a name. */
  id(name: string): string {
    const found = readdirSync(`${this.dataRoot}/containers`).find(
      (id) => /^[0-9a-f]{64}$/.test(id) && this.fileOf(id).name === name,
    );
    assert.ok(found !== undefined, `no container ${name}`);
    return found;
  }

  private fileOf(id: string): { readonly name: string } {
    return JSON.parse(readFileSync(`${this.dataRoot}/containers/${id}/container.json`, 'utf8')) as {
      name: string;
    };
  }

  /** The log as text, each stream's lines joined. */
  log(name: string): string {
    const id = this.id(name);
    return readFileSync(`${this.dataRoot}/containers/${id}/${id}-json.log`, 'utf8');
  }

  disk(name: string): OnDisk {
    const place = `${this.dataRoot}/containers/${this.id(name)}`;
    const read = (file: string): object => {
      const path = `${place}/${file}`;
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as object) : {};
    };
    const run = read('run.json');
    const exited = read('exited.json');
    return { place, ...('number' in run ? { run } : {}), ...('code' in exited ? { exited } : {}) } as OnDisk;
  }

  /** Waits until `holds`, at most ten seconds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let tries = 0; tries < 1000; tries++) {
      if (holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail(`${what} did not happen`);
  }

  /** The processes of the host that are monitors of these containers. */
  monitors(): number[] {
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => {
        try {
          if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === '') return false;
          const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
          return line.startsWith('caisson-monitor') && this.owns(Number(pid));
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  private owns(pid: number): boolean {
    return readdirSync(this.harness.state).some((id) => {
      try {
        const { keeper } = JSON.parse(readFileSync(`${this.harness.state}/${id}/state.json`, 'utf8')) as {
          keeper: { pid: number };
        };
        return keeper.pid === pid;
      } catch {
        return false;
      }
    });
  }

  /** The host process id of a container's first process. */
  init(name: string): number {
    const path = `${this.harness.state}/${this.id(name)}/state.json`;
    const { oci } = JSON.parse(readFileSync(path, 'utf8')) as { oci: { init: { pid: number } } };
    return oci.init.pid;
  }

  /** Removes what is left, and looks whether that is everything. */
  clear(): void {
    const ids = existsSync(`${this.dataRoot}/containers`) ? readdirSync(`${this.dataRoot}/containers`) : [];
    const own = ids.filter((id) => /^[0-9a-f]{64}$/.test(id));
    if (own.length > 0) this.call(['rm', '-f', ...own]);
    this.assertNoPlaces();
    const names = `${this.dataRoot}/names`;
    assert.deepEqual(existsSync(names) ? readdirSync(names) : [], []);
    this.harness.assertNothingLeft();
  }

  override close(): void {
    try {
      this.clear();
    } finally {
      this.harness.close();
    }
  }
}

/** A command that must have failed with this code and a message like that. */
export function failed({ code, stderr }: Ended, expected: number, message: RegExp): void {
  assert.equal(code, expected, stderr);
  assert.match(stderr, message);
}
