// A real program as a container of a test: an image from Debian packages, the network of the host, a free port of loopback.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Containers } from '../engine/containers.ts';

/** docker's words about a container, as `inspect` says them. */
export interface State {
  readonly Status: string;
  readonly Running: boolean;
  readonly OOMKilled: boolean;
  readonly ExitCode: number;
  readonly Pid: number;
  readonly Health?: {
    readonly Status: string;
    readonly FailingStreak: number;
    readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[];
  };
}

/** Containers of one application. */
export class Application extends Containers {
  state(name: string): State {
    return JSON.parse(this.output(['inspect', '-f', '{{json .State}}', name])) as State;
  }

  /** Waits until `holds` of what `inspect` says; every state that was seen meanwhile, without repetitions. */
  async untilState(
    name: string,
    of: (state: State) => string,
    holds: (word: string) => boolean,
    patience = 30_000,
  ): Promise<string[]> {
    const seen: string[] = [];
    for (const end = Date.now() + patience; Date.now() < end; ) {
      const state = this.state(name);
      const word = of(state);
      if (seen.at(-1) !== word) seen.push(word);
      if (holds(word)) return seen;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`${name} was ${seen.join(', ')}: ${this.call(['logs', name]).stderr}`);
  }

  /** The same of its health. */
  untilHealth(name: string, wanted: string): Promise<string[]> {
    return this.untilState(
      name,
      ({ Health }) => Health?.Status ?? 'none',
      (word) => word === wanted,
    );
  }

  /** The container's first process and all that descend from it, and its monitor. */
  everyProcess(name: string): number[] {
    const parents = new Map(processes().map(({ pid, parent }) => [pid, parent]));
    const init = this.init(name);
    const descends = (pid: number | undefined): boolean =>
      pid !== undefined && pid > 1 && (pid === init || descends(parents.get(pid)));
    return [...this.monitors(), ...[...parents.keys()].filter(descends)];
  }

  /** SIGKILL to the monitor and every process of the container, as nearly at once as it goes. */
  async killEverything(name: string): Promise<number> {
    const pids = this.everyProcess(name);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It went with its parent.
      }
    }
    await this.until(() => !pids.some(lives), 'the end of every process');
    return pids.length;
  }
}

function processes(): { pid: number; parent: number }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
        return [{ pid: Number(name), parent: Number(fields[1]) }];
      } catch {
        return [];
      }
    });
}

/** Whether a process is there and no zombie. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A port of loopback that nobody has. */
export function freePort(): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? String(address.port) : '';
      server.close(() => {
        resolve(port);
      });
    });
  });
}
