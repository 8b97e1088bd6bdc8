// A container from flags: prepares the root, lets the front end compile, starts, waits, cleans up.
import type { Cgroup } from '../cgroups/path.ts';
import type { CompiledRun } from '../frontends/docker/compile-run.ts';
import type { ImageConfig } from '../frontends/docker/facts.ts';
import type { RootChoice } from '../frontends/docker/filesystem.ts';
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { attach } from '../runtime/attach.ts';
import { type HeldSignals, holdSignals } from '../runtime/held-signals.ts';
import { holdIdMaps, type IdMapHolders } from '../runtime/idmap.ts';
import { holdParents } from '../runtime/parents.ts';
import { Player } from '../runtime/player.ts';
import { type Prepared, type PrepareOptions, prepare } from '../runtime/prepare.ts';
import { type RunOptions, recordOf, runAttached } from '../runtime/run.ts';
import type { Exit, Running } from '../runtime/start.ts';
import { claim } from '../runtime/state.ts';
import { withConsoleSize } from '../runtime/terminal.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { type FoundRoot, findRoot, type RootFacts } from './find-root.ts';
import { secretsOnDisk } from './memory-place.ts';
import type { OpenedImage, OpenImage } from './opened-image.ts';
import { explainForeignRoot } from './platform.ts';
import type { RunVolumes } from './volumes/run-volumes.ts';

/** One container: the root is prepared first, then `compile` is called with what was found in it. */
export interface DockerRun {
  readonly id: Bytes;
  readonly choice: RootChoice;
  /** The name of its image as it was asked for; `host`; empty for a root of the host. */
  readonly imageName?: Bytes;
  /** `--network` */
  readonly network?: Bytes | undefined;
  /** Where the root is an image of the store; absent for the built-in one, a directory and an archive. */
  readonly image?: OpenImage;
  readonly upper: Bytes | undefined;
  /** Standard input is the caller's; /dev/null otherwise. */
  readonly interactive?: boolean;
  /** Finds and names the volumes that flags and image ask for; undefined where they ask for none. */
  readonly volumes?: (image: ImageConfig) => Promise<RunVolumes | undefined>;
  readonly compile: (root: RootFacts, stateDirectory: Bytes) => CompiledRun;
}

export interface DockerRunOptions {
  readonly stateRoot: Bytes;
  readonly warn: (message: string) => void;
  /** Collects what the program writes instead of passing it on; its input is then empty. */
  readonly capture?: boolean;
  /** With `capture`: what the program writes comes here at once, and is not collected. */
  readonly output?: (stream: 1 | 2, bytes: Bytes) => void;
  /** Called once the program runs, with the time stamps of a traced start. */
  readonly started?: (running: Running, prepared: Prepared) => void;
}

/** How it ended, and what was collected. */
export interface DockerRunResult extends Exit {
  readonly output: { readonly stdout: Bytes; readonly stderr: Bytes };
}

/** A run that is compiled and not started: what `caisson plan` prints. */
export interface CompiledDockerRun {
  readonly compiled: CompiledRun;
  readonly prepared: Prepared;
  /** The image that the root is, where it is one of the store. */
  readonly image: OpenedImage | undefined;
  readonly volumes: RunVolumes | undefined;
  /**
   * Ends what the run needs: helpers, the root. To be called when the container has ended, or will not start; with its
   * launcher where that is still there.
   */
  close(channel?: Channel): Promise<void>;
}

export interface CompileRunOptions {
  readonly signals?: HeldSignals | undefined;
  /** The plan is to be played, beside others of this state directory. */
  readonly stateRoot?: Bytes;
  readonly warn?: (message: string) => void;
  /** The container outlives its command. */
  readonly monitor?: (settings: CompiledRun['settings']) => PrepareOptions['monitor'];
}

/** Compiles a run. Files that it refers to (hosts, resolv.conf) are not written yet. */
export async function compileDockerRun(
  port: Port,
  channel: Channel,
  run: DockerRun,
  stateDirectory: Bytes,
  options: CompileRunOptions = {},
): Promise<CompiledDockerRun> {
  const found = await findRoot(port, channel, run, stateDirectory, options);
  try {
    return await compileInRoot(port, channel, run, found, stateDirectory, options);
  } catch (error) {
    await letGo(found);
    throw error;
  }
}

/** The record of the container goes first: it names the volumes. */
async function letGo(
  { image, volumes }: Pick<FoundRoot, 'image' | 'volumes'>,
  channel?: Channel,
): Promise<void> {
  await image?.close(channel);
  await volumes?.end();
}

async function compileInRoot(
  port: Port,
  channel: Channel,
  run: DockerRun,
  found: FoundRoot,
  stateDirectory: Bytes,
  options: CompileRunOptions,
): Promise<CompiledDockerRun> {
  const { facts, root, image } = found;
  const { stateRoot } = options;
  const compiled = run.compile(facts, stateDirectory);
  const { settings } = compiled;
  const spec = withConsoleSize(port, compiled.spec);
  if (stateRoot !== undefined) await makeReady(port, channel, run.id, found, spec, compiled, options);
  if (stateRoot !== undefined) await letIn(port, channel, run.id, stateRoot, compiled);
  if (stateRoot !== undefined) secretsOnDisk(port, stateDirectory, compiled.files, options.warn);
  let idMaps: IdMapHolders | undefined;
  try {
    idMaps = await holdIdMaps(port, new Player(port, channel), spec, image?.needsIdMap?.(spec) === true);
    const path = { text: spec.linux?.cgroupsPath, asRunc: false };
    const guard =
      stateRoot === undefined ? undefined : await holdParents(new Player(port, channel), stateRoot, path);
    const monitor = options.monitor?.(settings);
    const prepared = prepare(port, spec, {
      id: run.id,
      ...(guard === undefined ? {} : { guard }),
      idmapped: idMaps.pids,
      subpaths: compiled.subpaths,
      ...affinityOf(spec),
      root: root(settings, spec, idMaps.root),
      ...(monitor === undefined ? { dieWithParent: true } : { monitor }),
      init: settings.init,
      trace: settings.trace,
      showSecrets: settings.showSecrets,
      ownFiles: compiled.files.map(({ path }) => path),
    });
    const holders = idMaps;
    const close = async (launcher?: Channel): Promise<void> => {
      await holders.close();
      await letGo(found, launcher);
    };
    return { compiled, prepared, image, volumes: found.volumes, close };
  } catch (error) {
    await idMaps?.close();
    throw withSources(error, compiled.sources);
  }
}

/** Before anything is made for it: it may not fit. */
async function letIn(
  port: Port,
  channel: Channel,
  id: Bytes,
  stateRoot: Bytes,
  { settings: { reservation, reservedBy } }: CompiledRun,
): Promise<void> {
  if (reservation === undefined) return;
  const { admit } = await import('./capacity/admit.ts');
  await admit(port, new Player(port, channel), { stateRoot, id, reservation, sources: reservedBy });
}

/** `--cpu-affinity`: the specification keeps it for exec, and the first process gets it as well. */
function affinityOf(spec: Spec): { affinity?: Bytes } {
  const affinity = spec.process?.execCPUAffinity?.final;
  return affinity === undefined ? {} : { affinity };
}

/** Volumes are made and filled, and files of the host changed, when all of the flags have been understood. */
async function makeReady(
  port: Port,
  channel: Channel,
  id: Bytes,
  { volumes, source }: FoundRoot,
  spec: Spec,
  { settings: { hostActions }, sources }: CompiledRun,
  { signals }: CompileRunOptions,
): Promise<void> {
  if (volumes === undefined && hostActions.length === 0) return;
  const check = signals === undefined ? {} : { check: () => signals.check() };
  try {
    const mountLabel = spec.linux?.mountLabel ?? '';
    await volumes?.make(new Player(port, channel), id, {
      ...(source === undefined ? {} : { source }),
      ...(mountLabel === '' ? {} : { mountLabel }),
      ...check,
    });
    if (hostActions.length === 0) return;
    const { performHostActions } = await import('./volumes/host-actions.ts');
    await performHostActions(port, spec, hostActions);
  } catch (error) {
    throw withSources(error, sources);
  }
}

/** Names the flag beside the field where an error comes from a field of the compiled specification. */
export function withSources(error: unknown, sources: ReadonlyMap<Pointer, string>): unknown {
  if (!(error instanceof CaissonError) || error.sources.length > 0) return error;
  const found = error.provenance.flatMap((pointer) => sourceOf(pointer, sources) ?? []);
  if (found.length === 0) return error;
  const { code, errno, syscall, provenance, details, exitCode, cause } = error;
  const rest = { ...(errno === undefined ? {} : { errno }), ...(syscall === undefined ? {} : { syscall }) };
  return new CaissonError(error.message, {
    code,
    provenance,
    details,
    exitCode,
    cause,
    ...rest,
    sources: [...new Set(found)],
  });
}

/** The flag of the field itself, or of the nearest field above or below it. */
function sourceOf(pointer: Pointer, sources: ReadonlyMap<Pointer, string>): string | undefined {
  for (let at = pointer; at.length > 1; at = at.slice(0, at.lastIndexOf('/'))) {
    const source = sources.get(at);
    if (source !== undefined) return source;
  }
  return [...sources].find(([known]) => known.startsWith(`${pointer}/`))?.[1];
}

/** Runs a container in the foreground. Throws CaissonError; the result is the container's own exit otherwise. */
export async function dockerRun(
  port: Port,
  run: DockerRun,
  options: DockerRunOptions,
): Promise<DockerRunResult> {
  // A program that uses the library keeps its own signals.
  const signals = options.capture ? undefined : holdSignals(port);
  try {
    return await runHeld(port, run, options, signals);
  } finally {
    signals?.end();
  }
}

async function runHeld(
  port: Port,
  run: DockerRun,
  options: DockerRunOptions,
  signals: HeldSignals | undefined,
): Promise<DockerRunResult> {
  const channel = await port.openChannel({
    capture: options.capture === true,
    ...(options.output === undefined ? {} : { output: options.output }),
    noInput: run.interactive !== true,
  });
  const { stateRoot } = options;
  const stateDirectory = `${stateRoot}/${run.id}`;
  claim(
    port,
    stateRoot,
    recordOf(port, { id: run.id, cgroups: [], madeParents: [] }, { stateRoot }, channel.pid),
  );
  let close: CompiledDockerRun['close'] | undefined;
  let cgroups: readonly Cgroup[] = [];
  try {
    const { warn } = options;
    const made = await compileDockerRun(port, channel, run, stateDirectory, { signals, stateRoot, warn });
    cgroups = made.prepared.cgroups;
    for (const warning of [...made.compiled.warnings, ...made.prepared.warnings]) options.warn(warning);
    close = made.close;
    const exit = await runCompiled(port, channel, run, made, options, signals);
    close = undefined;
    await made.close(channel);
    await channel.close();
    return { ...exit, output: await channel.captured() };
  } catch (error) {
    // The record of what could not be taken away is for `system repair`.
    if (!cgroups.some(({ directory }) => port.stat(directory) !== undefined)) port.remove(stateDirectory);
    await signals?.check();
    throw error;
  } finally {
    await close?.();
    await channel.close();
  }
}

/** Writes `--cidfile`. Throws CaissonError ECONFLICT when it is there, EUSAGE when it cannot be written. */
function writeIdFile(port: Port, path: Bytes, id: Bytes): void {
  refuseTakenIdFile(port, path);
  try {
    port.replaceFile(path, id, 0o644);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CaissonError(`cannot write the container ID file: ${reason}`, {
      code: 'EUSAGE',
      sources: [`--cidfile ${path}`],
      cause: error,
    });
  }
}

function refuseTakenIdFile(port: Port, path: Bytes): void {
  if (port.stat(path) === undefined) return;
  throw new CaissonError(
    `container ID file found, make sure the other container isn't running or delete ${path}`,
    {
      code: 'ECONFLICT',
      sources: [`--cidfile ${path}`],
    },
  );
}

/** Keys of a pipe would not reach the container's terminal: nobody would answer a program that asks. */
function refuseWithoutTerminal(
  port: Port,
  { terminal, interactive }: CompiledRun['settings'],
  captured: boolean,
): void {
  if (!terminal || !interactive || captured || port.terminal !== undefined) return;
  throw new CaissonError('the input device is not a TTY: leave out -t, or -i', {
    code: 'EUSAGE',
    sources: ['--interactive', '--tty'],
  });
}

async function runCompiled(
  port: Port,
  channel: Channel,
  run: DockerRun,
  { compiled, prepared, image }: CompiledDockerRun,
  options: DockerRunOptions,
  signals: HeldSignals | undefined,
): Promise<Exit> {
  const { settings } = compiled;
  refuseWithoutTerminal(port, settings, options.capture === true);
  if (settings.cidfile !== undefined) writeIdFile(port, settings.cidfile, run.id);
  let ran = false;
  let detach: (() => void) | undefined;
  const runOptions: RunOptions = {
    stateRoot: options.stateRoot,
    claimed: true,
    trace: settings.trace,
    files: compiled.files,
    ...(settings.name === undefined ? {} : { name: settings.name }),
    ...(Object.keys(settings.labels).length === 0 ? {} : { labels: settings.labels }),
    stopSignal: settings.stopSignal,
    ...(settings.reservation === undefined ? {} : { reserved: settings.reservation }),
    shown: {
      image: run.imageName ?? '',
      args: compiled.spec.process?.args ?? [],
      created: new Date().toISOString(),
      ...(run.network === undefined ? {} : { network: run.network }),
    },
  };
  try {
    return await runAttached(port, channel, prepared, runOptions, {
      started: (running) => {
        ran = true;
        options.started?.(running, prepared);
        detach = attach(port, running, signals, settings);
      },
    });
  } catch (error) {
    if (!ran && settings.cidfile !== undefined) port.remove(settings.cidfile);
    const explained =
      image === undefined ? await explainForeignRoot(port, error, prepared) : image.explain(error);
    throw withSources(explained, compiled.sources);
  } finally {
    detach?.();
  }
}
