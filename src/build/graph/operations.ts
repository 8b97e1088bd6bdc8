// What a build does to files: one operation for each instruction that makes a layer.
//
// An operation is data, with variables replaced. What it changes depends on nothing but this, the files it reads, and
// the files of the stage before it; the key of the cache is made of these (cache/key.ts).
import type { RunMount } from '../dockerfile/run-mount.ts';
import type { LogicalLine } from '../dockerfile/source.ts';

/** Where files are copied or mounted from. */
export type Origin =
  /** That of the build, or one of `--build-context`, by its name in one spelling. */
  | { readonly kind: 'context'; readonly name?: string }
  | { readonly kind: 'stage'; readonly stage: number }
  | { readonly kind: 'image'; readonly reference: string }
  /** The files of this machine. */
  | { readonly kind: 'host' }
  | { readonly kind: 'nothing' };

/** `--chown` and `--chmod`. */
export interface FileAttributes {
  /** `user`, `user:group`, numbers or names of the stage's own passwd; empty: root. */
  readonly owner: string;
  /** Octal digits or symbols as chmod(1) has them; empty: as the source. */
  readonly mode: string;
}

/** One source of a COPY or ADD. */
export type CopySource =
  | { readonly kind: 'files'; readonly pattern: string; readonly offset: number }
  | { readonly kind: 'inline'; readonly name: string; readonly content: string }
  | { readonly kind: 'url'; readonly url: string; readonly offset: number }
  | { readonly kind: 'git'; readonly url: string; readonly offset: number };

interface Common {
  readonly line: LogicalLine;
  /** For people: `RUN make`, `[build 2/5] COPY . .`. */
  readonly title: string;
}

export interface RunOperation extends Common {
  readonly kind: 'run';
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** Of proxies: in the environment, but no part of the key. */
  readonly proxies: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly mounts: readonly { readonly mount: RunMount; readonly origin: Origin }[];
  readonly network: 'default' | 'none' | 'host';
  readonly insecure: boolean;
  /** A script that is mounted and run: `RUN <<EOF` with `#!`. */
  readonly script: { readonly name: string; readonly content: string } | undefined;
}

export interface CopyOperation extends Common, FileAttributes {
  readonly kind: 'copy';
  readonly add: boolean;
  readonly origin: Origin;
  readonly sources: readonly CopySource[];
  /** Absolute; ends with a slash where it must be a directory. */
  readonly destination: string;
  readonly exclude: readonly string[];
  readonly parents: boolean;
  readonly link: boolean;
  readonly checksum: string;
  readonly keepGitDirectory: boolean;
  /** Whether archives are unpacked; of URLs only when asked for. */
  readonly unpack: boolean | undefined;
}

export interface DirectoryOperation extends Common {
  readonly kind: 'directory';
  readonly path: string;
  /** The owner of what has to be made; empty: root. */
  readonly owner: string;
}

export type Operation = RunOperation | CopyOperation | DirectoryOperation;
