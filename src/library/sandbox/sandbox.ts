// `Sandbox`: an isolated place for untrusted code, for as long as the program wants it.
import { freezerStateFile, thawStep } from '../../cgroups/freezer.ts';
import type { Port } from '../../host/port.ts';
import { ERRNO } from '../../linux/errno.ts';
import { freeze } from '../../runtime/pause.ts';
import { withLauncher } from '../../runtime/removal.ts';
import { CaissonError } from '../../spec/error.ts';
import { openPort } from '../open-port.ts';
import { SandboxFiles } from './files.ts';
import { DEFAULTS, type SandboxOptions } from './options.ts';
import { makePlace, type Place } from './place.ts';
import { type PoolOptions, SandboxPool } from './pool.ts';
import { type RunContext, runInside, type SandboxResult, type SandboxRunOptions } from './run.ts';

/**
 * An isolated place for untrusted code: namespaces of its own, no network, limits of memory, processes and time, no
 * capabilities, no new privileges, docker's seccomp profile. It ends with `kill`, with `await using`, and with the
 * program that made it, however that ends.
 */
export class Sandbox {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** What could not be as it was asked for, for a person: limits without a cgroup, say. */
  readonly warnings: readonly string[];
  /** Files of the sandbox, by absolute paths in it. */
  readonly files: SandboxFiles;
  /** Resolved when nothing of it is left. */
  readonly ended: Promise<void>;
  private readonly context: RunContext;
  private readonly cancel: (() => void) | undefined;
  private state: 'running' | 'paused' | 'ended' = 'running';

  /**
   * Makes a sandbox. Throws CaissonError where that is not possible: `code` and `provenance` say why, and what would have
   * to be changed on this machine (`explainRefusal`).
   */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    options.signal?.throwIfAborted();
    const port = await openPort();
    const place = await makePlace(port, options).catch(async (error: unknown) => {
      const { explainRefusal } = await import('./refusal.ts');
      throw await explainRefusal(port, error);
    });
    const sandbox = new Sandbox(port, place, options);
    if (options.signal?.aborted) {
      await sandbox.kill();
      options.signal.throwIfAborted();
    }
    return sandbox;
  }

  /** Places that are made ahead; each is used once. */
  static async pool(options: PoolOptions): Promise<SandboxPool> {
    const pool = new SandboxPool(options, () => Sandbox.create(options));
    await pool.ready();
    return pool;
  }

  private constructor(port: Port, place: Place, { timeout = DEFAULTS.timeout, lifetime }: SandboxOptions) {
    this.id = place.id;
    this.warnings = place.warnings;
    this.context = { port, place, timeout, kills: 0 };
    this.files = new SandboxFiles(place, () => {
      this.check();
    });
    this.ended = place.ended.then(() => {
      this.state = 'ended';
      this.cancel?.();
    });
    this.cancel =
      lifetime === undefined
        ? undefined
        : port.after(lifetime, () => {
            void this.kill();
          });
  }

  /** Whether programs can run in it. */
  get status(): 'running' | 'paused' | 'ended' {
    return this.state;
  }

  /**
   * Runs a program to its end: a string by `/bin/sh -c`, a list as program and arguments. A program that fails is no
   * error. Throws CaissonError where it cannot be started (`exitCode` 127: it is not there, 126: it cannot be executed),
   * `ESTATUS` in a paused sandbox, `ENOTRUNNING` in one that has ended, and the reason of an abort signal. What it has
   * left in the background runs on.
   */
  async run(command: string | readonly string[], options: SandboxRunOptions = {}): Promise<SandboxResult> {
    this.check();
    const result = await runInside(this.context, command, options);
    if (this.status === 'ended') throw ended();
    return result;
  }

  /** All of its processes stand still. Throws CaissonError `EUNSUPPORTED` where it has no cgroup with a freezer. */
  async pause(): Promise<void> {
    this.check();
    const { port, place } = this.context;
    if (freezerStateFile(place.cgroups) === undefined) {
      throw new CaissonError('this sandbox has no cgroup that could pause it', {
        code: 'EUNSUPPORTED',
        details: place.warnings,
      });
    }
    await withLauncher(port, (player) => freeze(port, player, place.cgroups));
    this.state = 'paused';
  }

  /** They go on. Throws CaissonError `ENOTPAUSED`. */
  async resume(): Promise<void> {
    if (this.state !== 'paused') throw new CaissonError('the sandbox is not paused', { code: 'ENOTPAUSED' });
    await this.thaw();
    this.state = 'running';
  }

  /** Ends it; nothing of it is left when this returns. Nothing happens when it has ended. */
  async kill(): Promise<void> {
    const { place } = this.context;
    const paused = this.state === 'paused';
    this.state = 'ended';
    this.cancel?.();
    await place.kill();
    // On cgroup v1 a process that is frozen dies when it goes on.
    if (paused) await this.thaw().catch(ignoreGone);
    await place.ended;
    await place.agent.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private async thaw(): Promise<void> {
    const { port, place } = this.context;
    await withLauncher(port, async (player) => {
      await player.play([thawStep(place.cgroups)]);
    });
  }

  private check(): void {
    if (this.state === 'running') return;
    if (this.state === 'paused')
      throw new CaissonError('the sandbox is paused: resume it first', { code: 'ESTATUS' });
    throw ended();
  }
}

/** Its cgroups may be away by the time. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof CaissonError && error.errno === ERRNO.ENOENT)) throw error;
}

function ended(): CaissonError {
  return new CaissonError('the sandbox has ended', { code: 'ENOTRUNNING' });
}
