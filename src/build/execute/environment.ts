// What operations are carried out with: the machine, the store, the context, and whom to tell.
import type { Disk } from '../../host/disk.ts';
import type { Port } from '../../host/port.ts';
import type { StoreKernel } from '../../image/store/kernel.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { RootPlan } from '../../plan/compile/context.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { CaissonError } from '../../spec/error.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import type { RemoteCache } from '../cache/remote.ts';
import type { Session } from '../cache/session.ts';
import type { LogicalLine } from '../dockerfile/source.ts';
import type { IgnoreMatcher } from '../ignore/matcher.ts';
import type { Progress } from '../progress/progress.ts';
import type { BaseImage } from './result.ts';

/** The directory that COPY reads from. */
export interface BuildContext {
  /** A host path; undefined for a build without context. */
  readonly directory: Bytes | undefined;
  readonly ignore: IgnoreMatcher | undefined;
  /** The ignore file's name, for errors. */
  readonly ignoreName: string;
}

/** The context that an origin names. */
export function contextOf(
  { context, contexts }: Pick<BuildEnvironment, 'context' | 'contexts'>,
  name: string | undefined,
): BuildContext {
  return (name === undefined ? undefined : contexts.get(name)) ?? context;
}

/** A command that is to run in a container. */
export interface RunRequest {
  readonly args: readonly Bytes[];
  readonly env: readonly Bytes[];
  /** Names of variables whose values are secret. */
  readonly secretNames: ReadonlySet<string>;
  readonly cwd: Bytes;
  readonly user: Bytes;
  readonly network: 'none' | 'host';
  /** As `--privileged` of a run. */
  readonly insecure: boolean;
  readonly passwd: Bytes;
  readonly group: Bytes;
  /** After the container's own, in this order. */
  readonly mounts: readonly Mount[];
  /** Makes the root: called when the rest is known. */
  readonly root: (
    facts: { readonly kernel: readonly [number, number]; readonly userNamespace: boolean },
    label: Bytes,
  ) => RootPlan;
  readonly output: (stream: 1 | 2, bytes: Bytes) => void;
}

/** How it ended. */
export interface RunEnd {
  readonly code: number;
  readonly signal: number;
  readonly outOfMemory: boolean;
  readonly outOfProcesses: boolean;
}

/** `--secret`, `--ssh`. */
export interface Secrets {
  /** The content of a secret; undefined when it was not given. Throws CaissonError when it cannot be read. */
  secret(id: string): Bytes | undefined;
  /** The path of an agent's socket. Throws CaissonError when there can be none. */
  agent(id: string): Promise<Bytes | undefined>;
}

export interface BuildEnvironment {
  readonly port: Port;
  readonly disk: Disk;
  readonly kernel: StoreKernel;
  readonly session: Session;
  /** The store's directory. */
  readonly root: Bytes;
  readonly release: readonly [number, number];
  readonly context: BuildContext;
  /** `--build-context`: those that are directories, by name. */
  readonly contexts: ReadonlyMap<string, BuildContext>;
  readonly secrets: Secrets;
  readonly progress: Progress;
  /** `--network`. */
  readonly network: 'none' | 'host';
  /** `--cache-from`. */
  readonly remote: RemoteCache;
  /** The content of a blob of the store, checked. */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** `--no-cache`, `--no-cache-filter`. */
  noCache(stage: string): boolean;
  /** Finds, pulls and unpacks an image. Throws CaissonError. */
  image(reference: string, platform: NamedPlatform): Promise<BaseImage>;
  run(request: RunRequest): Promise<RunEnd>;
  /** Why commands for a platform cannot run here; undefined where they can. */
  foreign(platform: NamedPlatform): CaissonError | undefined;
  /** `--allow`: whether a privilege was given that a Dockerfile has not by itself. */
  allowed(privilege: string): boolean;
  /** The root of a container on this machine's own files, whose changes are kept in `directory`. */
  hostRoot(
    directory: Bytes,
    facts: { readonly kernel: readonly [number, number]; readonly userNamespace: boolean },
    label: Bytes,
  ): RootPlan;
  /** Fetches a file of ADD into a directory of its own. Throws CaissonError. */
  fetch(url: string, checksum: string, line: LogicalLine, offset: number): Promise<Fetched>;
  /** Fetches a repository. Throws CaissonError. */
  clone(
    url: string,
    options: { readonly keepGitDirectory: boolean; readonly checksum: string },
  ): Promise<Cloned>;
  /** Content behind a compression that Node does not have (compressionOf gives its name). Throws CaissonError. */
  decompress(name: string, content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Waits until one of the machine's processors is free for work. */
  slot<T>(work: () => Promise<T>): Promise<T>;
}

/** A file that was fetched: `name` in `directory`. */
export interface Fetched {
  readonly directory: Bytes;
  readonly name: Bytes;
}

/** A repository that was fetched. */
export interface Cloned {
  readonly directory: Bytes;
  /** Below it. */
  readonly subdirectory: Bytes;
  readonly commit: string;
}
