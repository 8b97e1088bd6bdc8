// A container that stays, as a program of the library holds it: nothing but its id; what is true lies on disk.
import type { Engine as OpenedEngine } from '../engine/containers/engine.ts';
import type { ContainerStatus } from '../engine/containers/find.ts';
import type { ContainerUsage } from '../engine/containers/stats.ts';
import type { UpdateFlags } from '../engine/containers/update.ts';
import { bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import { sleep } from '../runtime/removal.ts';
import { CaissonError } from '../spec/error.ts';
import type { JsonValue } from '../spec/json.ts';
import {
  archived,
  type CommitChoice,
  type CopyChoice,
  changesOf,
  committed,
  copied,
  exported,
  type FileChange,
  unpacked,
} from './container-changes.ts';
import { type ContainerExecOptions, type ExecResult, execInside } from './container-exec.ts';
import { decoded } from './text.ts';

/** How a container ended. */
export interface ContainerExit {
  /** Exit code, or 128 + the signal; -1 where nobody has seen its end. */
  readonly exitCode: number;
  readonly signal: number;
  readonly oom: boolean;
  /** RFC 3339. */
  readonly time: string;
  readonly error?: string;
}

/** One entry of a log; a long line comes in several. */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  /** With its line feed. */
  readonly text: string;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
}

/** What `logs` takes. */
export interface LogsOptions {
  /** Goes on while the container runs. */
  readonly follow?: boolean;
  readonly since?: Date;
  readonly until?: Date;
  /** Only the last so many lines. */
  readonly tail?: number;
  /** Ends a log that is followed. */
  readonly signal?: AbortSignal;
}

/** A container by its id. Each method throws CaissonError `ENOTFOUND` once it has been removed. */
export class Container {
  /** 64 hexadecimal digits. */
  readonly id: string;
  private readonly engine: OpenedEngine;

  /** @internal */
  constructor(engine: OpenedEngine, id: string) {
    this.engine = engine;
    this.id = id;
  }

  /** Its name now. */
  async name(): Promise<string> {
    const { findContainer } = await import('../engine/containers/find.ts');
    return bytesToUtf8(findContainer(this.engine, this.id).file.name);
  }

  /** docker's word for its state. */
  async status(): Promise<ContainerStatus> {
    const { findContainer } = await import('../engine/containers/find.ts');
    return findContainer(this.engine, this.id).status;
  }

  /** Starts it, and returns when its program runs. Nothing happens where it runs. Throws CaissonError, exit code 125 to 127. */
  async start(): Promise<void> {
    const { startContainer } = await import('../engine/containers/start.ts');
    await startContainer(this.engine, this.id);
  }

  /** Its stop signal, and SIGKILL after `timeout` milliseconds (default: its own). Nothing happens where it has ended. */
  async stop({
    timeout,
    signal,
  }: {
    readonly timeout?: number;
    readonly signal?: number;
  } = {}): Promise<void> {
    const { stopContainer } = await import('../engine/containers/stop.ts');
    await stopContainer(this.engine, this.id, { timeout, signal });
  }

  /** A signal, by its number; SIGKILL by default. Throws CaissonError `ENOTRUNNING`. */
  async kill(signal: number = SIGNALS.SIGKILL): Promise<void> {
    const { killByName } = await import('../engine/containers/stop.ts');
    await killByName(this.engine, this.id, signal);
  }

  /** `stop`, then `start`. */
  async restart(options?: { readonly timeout?: number }): Promise<void> {
    await this.stop(options);
    await this.start();
  }

  /** All of its processes stand still. Throws CaissonError `ENOTRUNNING`. */
  async pause(): Promise<void> {
    await (await import('../engine/containers/freeze.ts')).pauseByName(this.engine, this.id);
  }

  /** They go on. */
  async unpause(): Promise<void> {
    await (await import('../engine/containers/freeze.ts')).unpauseByName(this.engine, this.id);
  }

  /** Waits for its end, or until `signal` is aborted: throws its reason then. */
  async wait({ signal: given }: { readonly signal?: AbortSignal } = {}): Promise<ContainerExit> {
    const { waitContainer } = await import('../engine/containers/stop.ts');
    const { code, signal, oom, time, error } = await waitContainer(
      this.engine,
      this.id,
      'not-running',
      () => {
        given?.throwIfAborted();
      },
    );
    const why = error === undefined ? {} : { error: bytesToUtf8(error) };
    return { exitCode: code, signal, oom, time, ...why };
  }

  /** Removes it. Throws CaissonError `ECONFLICT` where it runs and `force` is not given; `volumes`: its anonymous ones too. */
  async remove({
    force = false,
    volumes = false,
  }: {
    readonly force?: boolean;
    readonly volumes?: boolean;
  } = {}): Promise<void> {
    const { removeContainer } = await import('../engine/containers/remove.ts');
    await removeContainer(this.engine, this.id, { force, volumes });
  }

  /** docker's JSON. */
  async inspect(): Promise<JsonValue> {
    const { inspectContainer } = await import('../engine/containers/inspect.ts');
    const found = await inspectContainer(this.engine, this.id);
    if (found === undefined) throw new CaissonError(`No such container: ${this.id}`, { code: 'ENOTFOUND' });
    return decoded(found);
  }

  /** What it has written, and with `follow` what it goes on writing. Throws CaissonError `EUNSUPPORTED` with log driver `none`. */
  async *logs({ follow, since, until, tail, signal }: LogsOptions = {}): AsyncGenerator<LogRecord> {
    const { containerLogs } = await import('../engine/containers/logs.ts');
    const entries = containerLogs(this.engine, this.id, {
      ...{ follow: follow === true, since: since?.getTime(), until: until?.getTime(), tail },
      stop: () => signal?.aborted === true,
    });
    for await (const some of entries) {
      for (const { stream, text, time } of some)
        yield { stream: stream === 1 ? 'stdout' : 'stderr', text: bytesToUtf8(text), time };
    }
  }

  /** Runs one more process in it to its end. Throws CaissonError, exit code 126 or 127 where it cannot be executed. */
  async exec(command: readonly string[], options: ContainerExecOptions = {}): Promise<ExecResult> {
    return await execInside(this.engine, this.id, command, options);
  }

  /** Its processes: titles of columns, and a row for each; `options` as of ps(1). Throws CaissonError `ENOTRUNNING`. */
  async top(
    options: readonly string[] = [],
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
    const { containerProcessList } = await import('../engine/containers/top.ts');
    return decoded(containerProcessList(this.engine, this.id, options.map(utf8ToBytes)));
  }

  /** Gives it another name. Throws CaissonError `ECONFLICT` for one that is taken. */
  async rename(name: string): Promise<void> {
    const { renameContainer } = await import('../engine/containers/rename.ts');
    await renameContainer(this.engine, this.id, utf8ToBytes(name));
  }

  /** Other limits and another restart policy, now and whenever it starts. The result is warnings. Throws CaissonError `ELIMIT`. */
  async update(flags: UpdateFlags): Promise<readonly string[]> {
    const [{ updateByName }, { bytesOf }] = await Promise.all([
      import('../engine/containers/update.ts'),
      import('../engine/library-run.ts'),
    ]);
    return await updateByName(this.engine, this.id, bytesOf(flags));
  }

  /** What it has changed in the files of its image. Throws CaissonError `EUNSUPPORTED` for an ordinary user's of `host`. */
  async diff(): Promise<FileChange[]> {
    return await changesOf(this.engine, this.id);
  }

  /** An image of its changes; the result is its ID. Throws CaissonError `EREFERENCE` for a name that is none. */
  async commit(choice: CommitChoice = {}): Promise<string> {
    return await committed(this.engine, this.id, choice);
  }

  /** All of its files without what is mounted in it, as a tar archive. One that does not run cannot be started meanwhile. */
  export(): AsyncGenerator<Uint8Array> {
    return exported(this.engine, this.id);
  }

  /** Copies a file or directory of this machine into it, as `cp` does. Throws CaissonError `ENOTFOUND`, `EUSAGE`. */
  async copyIn(from: string, to: string, choice: CopyChoice = {}): Promise<void> {
    await copied(this.engine, this.id, 'in', [from, to], choice);
  }

  /** Copies a file or directory of it to this machine, as `cp` does. Throws CaissonError `ENOTFOUND`, `EUSAGE`. */
  async copyOut(from: string, to: string, choice: CopyChoice = {}): Promise<void> {
    await copied(this.engine, this.id, 'out', [from, to], choice);
  }

  /** What is at a path in it, as a tar archive. Throws CaissonError `ENOTFOUND`. */
  archive(path: string, choice: Pick<CopyChoice, 'followLink'> = {}): AsyncGenerator<Uint8Array> {
    return archived(this.engine, this.id, path, choice);
  }

  /** Unpacks a tar archive into a directory of it; the result is the bytes that were read. Throws CaissonError `EARCHIVE`. */
  async unpack(path: string, archive: AsyncIterable<Uint8Array>): Promise<number> {
    return await unpacked(this.engine, this.id, path, archive);
  }

  /** What it uses, every `interval` milliseconds (default 1000), until it ends or `signal` is aborted. */
  async *stats({
    interval = 1000,
    signal,
  }: {
    readonly interval?: number;
    readonly signal?: AbortSignal;
  } = {}): AsyncGenerator<ContainerUsage> {
    const { sampleUsage, usages } = await import('../engine/containers/stats.ts');
    let before = await sampleUsage(this.engine, [this.id], false);
    while (signal?.aborted !== true && (await this.status()) === 'running') {
      await sleep(this.engine.port, interval);
      const now = await sampleUsage(this.engine, [this.id], false);
      for (const usage of usages(this.engine.port, before, now)) yield decoded(usage);
      before = now;
    }
  }
}
