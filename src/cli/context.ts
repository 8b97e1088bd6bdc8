// What a command gets beside its arguments: the port, the global options, and the calls into the engine.

import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { Catalogue } from './command.ts';

/** `caisson [OPTIONS] COMMAND`. */
export interface GlobalOptions {
  /** Where images and containers live. */
  readonly dataRoot: Bytes | undefined;
  /** Where the state of running containers lives. */
  readonly runtimeRoot: Bytes | undefined;
  readonly debug: boolean;
  readonly logLevel: Bytes;
}

export interface Context {
  readonly port: Port;
  readonly globals: GlobalOptions;
  readonly catalogue: Catalogue;
  /** Columns of the terminal. */
  readonly width: number;
  /** Writes bytes to standard output, a line each. */
  out(line: Bytes): void;
  /** Writes a warning to standard error. */
  warn(message: string): void;
  /** The engine, loaded when it is first asked for. */
  engine(): Promise<EngineCalls>;
}

/** What the commands ask of src/engine; errors are CaissonError, results are text as bytes. */
export interface EngineCalls {
  /** The report, and whether all that is needed works. */
  doctor(asJson: boolean, context: Context): Promise<{ readonly text: Bytes; readonly healthy: boolean }>;
  /** Lines about the cgroups of caisson's containers, or of all. */
  cgroupList(all: boolean, context: Context): Promise<Bytes>;
  /** Moves a process into a cgroup (or a container's). */
  cgroupMove(pid: number, target: Bytes, context: Context): Promise<Bytes>;
  /** Which hierarchies, which limits, which ancestor's is the tightest. */
  cgroupInspect(target: Bytes, asJson: boolean, context: Context): Promise<Bytes>;
  /** Takes away what dead runs have left; one line for each. */
  repair(dryRun: boolean, context: Context): Promise<Bytes>;
}
