// Programs that stay: each line they are sent makes them start one container, and they answer with nanoseconds.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BUN, type Site } from './site.ts';

export class WarmProgram {
  readonly name: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: AsyncIterator<string>;

  constructor(name: string, command: readonly string[]) {
    this.name = name;
    const [program = '', ...args] = command;
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** Nanoseconds of one run. Throws Error when the program has ended. */
  async run(): Promise<number> {
    this.child.stdin.write('\n');
    const { value, done } = await this.lines.next();
    if (done || !/^\d+$/.test(value)) throw new Error(`${this.name} ended: ${value}`);
    return Number(value);
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.stdin.end();
    await new Promise((resolve) => this.child.once('close', resolve));
  }
}

/** The floor, and the engine and its sandboxes inside of Bun and Node. */
export function warmPrograms(site: Site): WarmProgram[] {
  const engine = ['build/bench/in-process.js', site.bundle];
  return [
    new WarmProgram('floor in C', [site.floor, site.rootfs, site.filter, ...site.hierarchies]),
    new WarmProgram('warm Bun', [BUN, ...engine]),
    new WarmProgram('warm Node', [process.execPath, ...engine]),
    ...(['Bun', 'Node'] as const).flatMap((name) => {
      const program = [name === 'Bun' ? BUN : process.execPath, 'build/bench/sandbox-inside.js'];
      return [
        new WarmProgram(`place from a pool, ${name}`, [...program, 'pool']),
        new WarmProgram(`run in a sandbox, ${name}`, [...program, 'sandbox']),
      ];
    }),
  ];
}
