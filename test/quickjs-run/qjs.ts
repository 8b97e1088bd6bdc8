// The embedded QuickJS for tests: programs bundled for it, and the launcher and init where every caller can read them.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { type Caller, type Harness, Started } from '../harness/caisson.ts';

const ROOT = process.cwd();

function output(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

/** The Bun of package.json; its postinstall script need not have run. */
export function bunPath(): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x64';
  const inside = `${ROOT}/node_modules/@oven/bun-linux-${machine}/bin/bun`;
  return existsSync(inside) ? inside : `${ROOT}/node_modules/.bin/bun`;
}

/** What becomes its descriptors 0, 1 and 2. */
export type Stdio = readonly ['ignore' | 'pipe', 'pipe' | number, 'pipe'];

/** A TypeScript program of this folder, bundled for QuickJS. */
export class QjsProgram {
  readonly launcher: string;
  readonly init: string;
  private readonly engine: string;
  private readonly script: string;
  private readonly caller: Caller;

  /** `name` without `.ts`; everything is copied into the harness's directory. */
  constructor(harness: Harness, name: string) {
    const { directory } = harness;
    this.caller = harness.caller;
    this.script = `${directory}/${name}.mjs`;
    const source = `${ROOT}/test/quickjs-run/${name}.ts`;
    output(bunPath(), ['build', source, '--target=browser', '--format=esm', `--outfile=${this.script}`]);
    this.engine = `${directory}/engine`;
    this.launcher = `${directory}/launcher`;
    this.init = `${directory}/init`;
    copyFileSync(`${ROOT}/build/quickjs/engine`, this.engine);
    for (const program of ['launcher', 'init'] as const)
      copyFileSync(`${ROOT}/build/${program}`, this[program]);
    for (const path of [this.engine, this.launcher, this.init]) chmodSync(path, 0o755);
    chmodSync(this.script, 0o644);
  }

  /** The words of its command, which loads the program from its source. */
  command(args: readonly string[]): string[] {
    return [this.engine, this.launcher, this.init, this.script, ...args];
  }

  /** Starts it as the harness's caller. */
  start(args: readonly string[], stdio: Stdio = ['ignore', 'pipe', 'pipe']): Started {
    const { uid, gid } = this.caller;
    const become = ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
    const [program = '', ...words] = [...(uid === 0 ? [] : become), ...this.command(args)];
    return new Started(
      spawn(program, words, { cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdio: [...stdio] }),
    );
  }
}
