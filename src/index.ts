// The library: `import { Engine, Sandbox, run } from 'caisson'`. On Node and Bun, as root or as an ordinary user.
import { libraryRun, type RunInput, type RunOutput } from './engine/library-run.ts';
import { openPort } from './library/open-port.ts';

export type {
  Capacity,
  Holder as CapacityHolder,
  Share as CapacityShare,
} from './engine/capacity/capacity.ts';
export type { ContainerStatus } from './engine/containers/find.ts';
export type { ContainerUsage } from './engine/containers/stats.ts';
export type { ContainerSummary } from './engine/containers/summary.ts';
export type { UpdateFlags } from './engine/containers/update.ts';
export type { EngineEvent } from './engine/events/read.ts';
export type { PartStatus } from './engine/images/reporter.ts';
export type { RunInput, RunOutput } from './engine/library-run.ts';
export type { PlacedVolume } from './engine/volumes/volume.ts';
export type { RunFlags } from './frontends/docker/run-flags.ts';
export { Container, type ContainerExit, type LogRecord, type LogsOptions } from './library/container.ts';
export type { CommitChoice, CopyChoice, FileChange } from './library/container-changes.ts';
export type { ContainerExecOptions, ExecResult } from './library/container-exec.ts';
export { type ContainerOptions, Engine, type EngineOpenOptions } from './library/engine.ts';
export type { BuildChoice, BuildEvent } from './library/image-build.ts';
export type { ImageSummary, ProgressOptions } from './library/images.ts';
export type { SandboxEntry, SandboxFiles } from './library/sandbox/files.ts';
export type { SandboxOptions } from './library/sandbox/options.ts';
export type { OutputPiece } from './library/sandbox/output.ts';
export type { PoolOptions, SandboxPool } from './library/sandbox/pool.ts';
export type { SandboxResult, SandboxRunOptions } from './library/sandbox/run.ts';
export { Sandbox } from './library/sandbox/sandbox.ts';
export { CaissonError, type ErrorDetail } from './spec/error.ts';

/**
 * Runs a container until its end and says how it ended and what it wrote.
 *
 * Throws CaissonError when it cannot be started: `exitCode` is 125 for caisson's own failures, 126 for a program that
 * cannot be executed, 127 for one that is not there; `provenance` and `sources` name the field or flag. On macOS and
 * Windows importing works, and running says that a Linux kernel is needed.
 */
export async function run(input: RunInput): Promise<RunOutput> {
  // What images need is loaded when there is one.
  return libraryRun(await openPort(), input, async (...image) =>
    (await import('./engine/library-image.ts')).libraryImage(...image),
  );
}
