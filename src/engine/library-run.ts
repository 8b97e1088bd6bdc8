// The library's `run`: one container in the foreground of a program, its output collected.
import { compileRun } from '../frontends/docker/compile-run.ts';
import type { IdMaps } from '../frontends/docker/facts.ts';
import { rootChoice } from '../frontends/docker/filesystem.ts';
import { unusualMaps } from '../frontends/docker/id-maps.ts';
import { namespaceModes } from '../frontends/docker/namespaces.ts';
import { Recorder } from '../frontends/docker/recorder.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import type { Port } from '../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { defaultStateRoot } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { resolveCdi } from './cdi.ts';
import { type DockerRun, dockerRun } from './docker-run.ts';
import { hostPart } from './host-part.ts';
import type { OpenImage } from './opened-image.ts';
import { volumesOf, withOthers } from './volumes/of-run.ts';

/** What `run` takes. Flags are those of `caisson run`, in camel case: `{ memory: '64m', volume: ['/srv:/srv:ro'] }`. `sigProxy` is off here. */
export interface RunInput {
  /**
   * A name or ID of an image, which is pulled when it is not there (`flags.pull`, `flags.platform`). Default: the built-in
   * image `host`, unless `flags.rootfs` or `flags.rootfsTar` is given.
   */
  readonly image?: string;
  /** Where images are kept; default as for the command line. */
  readonly dataRoot?: string;
  /** Program and arguments; the image's own command when absent. */
  readonly command?: readonly string[];
  readonly flags?: RunFlags;
  /** Where records of running containers are kept; default `/run/caisson` for root. */
  readonly stateRoot?: string;
}

/** How it ended and what it wrote. */
export interface RunOutput {
  /** The program's exit code, or 128 + the signal that killed it. */
  readonly exitCode: number;
  /** The signal's number, 0 without one. */
  readonly signal: number;
  /** UTF-8; what is not becomes U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  readonly warnings: readonly string[];
  /** The kernel killed the program for want of memory; `limit` in bytes, when it is the container's own. */
  readonly outOfMemory?: { readonly limit: Int64 | undefined };
  /** It ended with an error, and was refused processes; `limit` as above. */
  readonly outOfProcesses?: { readonly limit: Int64 | undefined };
}

/** Flags come as text and are bytes inside. */
export function bytesOf(flags: RunFlags): RunFlags {
  const encode = (value: unknown): unknown =>
    typeof value === 'string' ? utf8ToBytes(value) : Array.isArray(value) ? value.map(encode) : value;
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, encode(value)])) as RunFlags;
}

/** The run that `input` asks for, not started. Throws CaissonError where its flags or its image cannot be had. */
export async function dockerRunOf(port: Port, input: RunInput, find: ImageFinder): Promise<DockerRun> {
  // A library leaves the signals of its program alone unless it is asked.
  const flags = await resolveCdi(port, bytesOf({ sigProxy: false, ...input.flags }));
  const dataRoot = input.dataRoot === undefined ? undefined : utf8ToBytes(input.dataRoot);
  const roots = { dataRoot, stateRoot: stateRootOf(port, input) };
  const facts = await withOthers(port, hostPart(port, flags), roots, flags);
  const given = { ...facts, rootfs: '', stateDirectory: '' };
  const modes = namespaceModes(flags, given, new Recorder());
  const command = (input.command ?? []).map(utf8ToBytes);
  const image = input.image === undefined || input.image === 'host' ? undefined : input.image;
  if (image !== undefined && (flags.rootfs ?? flags.rootfsTar) !== undefined)
    throw new CaissonError('there is an image and a root: leave one of them out', { code: 'EUSAGE' });
  return {
    id: facts.id,
    imageName: (flags.rootfs ?? flags.rootfsTar) === undefined ? utf8ToBytes(input.image ?? 'host') : '',
    network: flags.network,
    ...(image === undefined
      ? {}
      : { image: await find(image, input, flags, unusualMaps(flags, modes, given)) }),
    choice: rootChoice(flags, modes, facts.cwd),
    upper: flags.upper,
    volumes: (config) => volumesOf(port, dataRoot, flags, config, facts, { unrecorded: image === undefined }),
    compile: ({ rootfs, users, image: config, volumes, autoIds }, stateDirectory) => {
      const found = {
        ...(autoIds === undefined ? {} : { autoIds }),
        ...(users === undefined ? {} : { users }),
        ...(volumes === undefined ? {} : { volumes }),
      };
      const place = { rootfs, stateDirectory, ...found };
      return compileRun(flags, command, config, { ...facts, ...place });
    },
  };
}

function stateRootOf(port: Port, { stateRoot }: RunInput): Bytes {
  return stateRoot === undefined ? defaultStateRoot(port) : utf8ToBytes(stateRoot);
}

/** Finds images of a store. Not known here, so that the core's hosts need nothing of images. */
export type ImageFinder = (
  image: string,
  input: RunInput,
  flags: RunFlags,
  /** Those of a user's container where they are not the usual ones. */
  maps: IdMaps | undefined,
) => Promise<OpenImage>;

/**
 * Runs a container until its end.
 *
 * Throws CaissonError with provenance when it cannot be started (`exitCode` 125, 126 or 127 as docker-run(1)); a
 * program that fails is no error but an `exitCode`.
 */
export async function libraryRun(
  port: Port,
  input: RunInput,
  find: ImageFinder = noImages,
): Promise<RunOutput> {
  if (input.flags?.tty)
    throw new CaissonError('tty needs a terminal: use the command line', { code: 'EUSAGE' });
  const warnings: string[] = [];
  const stateRoot = stateRootOf(port, input);
  const result = await dockerRun(port, await dockerRunOf(port, input, find), {
    stateRoot,
    capture: true,
    warn: (message) => {
      warnings.push(bytesToUtf8(message));
    },
  });
  const { code, signal, output, oom, processes } = result;
  return {
    exitCode: code,
    signal,
    stdout: bytesToUtf8(output.stdout),
    stderr: bytesToUtf8(output.stderr),
    warnings,
    ...(oom === undefined ? {} : { outOfMemory: oom }),
    ...(processes === undefined ? {} : { outOfProcesses: { limit: processes.limit } }),
  };
}

function noImages(image: string): never {
  throw new CaissonError(`${image}: this host has no images but the built-in one, host`, {
    code: 'EUNSUPPORTED',
  });
}
