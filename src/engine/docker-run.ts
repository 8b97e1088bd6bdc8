// `caisson run`: flags and an image to a container, from the id to the clean-up.
import { compileRun, type CompiledRun } from '../frontends/docker/compile-run.ts';
import type { ImageConfig, UserDatabase } from '../frontends/docker/facts.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import type { Channel, Port } from '../host/port.ts';
import { passwdLookup } from '../image/passwd-lookup.ts';
import type { Bytes } from '../linux/bytes.ts';
import { bufferBytes, slotValue } from '../plan/encode.ts';
import { Player } from '../runtime/player.ts';
import { type Prepared, prepare } from '../runtime/prepare.ts';
import { recordOf, type RunOptions, runAttached } from '../runtime/run.ts';
import { claim } from '../runtime/state.ts';
import type { Exit, Running } from '../runtime/start.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import { attach } from './attach.ts';
import { frontendFacts, newId } from './frontend-facts.ts';
import { importTar } from './rootfs-import.ts';
import { directoryImageRoot, hostImageRoot } from './roots.ts';

/** What `caisson run` was asked for. */
export interface DockerRun {
  readonly flags: RunFlags;
  /** `host`; undefined with --rootfs or --rootfs-tar. */
  readonly image: Bytes | undefined;
  readonly command: readonly Bytes[];
  readonly stateRoot: Bytes;
  readonly warn: (message: string) => void;
  /** Called with the running container, for the trace. */
  readonly started?: (running: Running, prepared: Prepared) => void;
}

/** A run that is compiled and not started: what `caisson plan` prints. */
export interface CompiledDockerRun {
  readonly id: Bytes;
  readonly compiled: CompiledRun;
  readonly prepared: Prepared;
}

/** The built-in image: this machine's own files, its PATH, and a shell. */
const HOST_IMAGE: ImageConfig = {
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  Cmd: ['/bin/sh'],
};

/** Throws CaissonError for an image that is not there: registries come with the image issue. */
function imageOf({ flags, image }: DockerRun): ImageConfig {
  if (flags.rootfs !== undefined || flags.rootfsTar !== undefined) return { Env: HOST_IMAGE.Env ?? [] };
  if (image === 'host') return HOST_IMAGE;
  throw new CaissonError(`image ${image}: the only image so far is the built-in \`host\`; or use --rootfs DIR, --rootfs-tar FILE`, {
    code: 'ENOIMAGE',
  });
}

async function readUsers(port: Port, channel: Channel, root: Bytes): Promise<UserDatabase> {
  const lookup = passwdLookup(root, '/process/user', 1 << 20);
  const { batch, answer } = await new Player(port, channel).play(lookup.steps);
  const content = ({ length, content: buffer }: typeof lookup.passwd) => {
    const count = slotValue(batch, answer, length);
    return count > 0 ? bufferBytes(batch, answer, buffer, count) : '';
  };
  return { passwd: content(lookup.passwd), group: content(lookup.group) };
}

/** The directory whose passwd is read, and which the specification names as root. */
async function rootDirectory(port: Port, run: DockerRun, stateDirectory: Bytes): Promise<Bytes> {
  const { rootfs, rootfsTar } = run.flags;
  const absolute = (path: Bytes) => (path.startsWith('/') ? path : `${port.cwd}/${path}`);
  if (rootfs !== undefined) return absolute(rootfs);
  if (rootfsTar === undefined) return '/';
  const target = `${stateDirectory}/rootfs`;
  port.makeDirectory(target);
  await importTar(port, absolute(rootfsTar), target);
  return target;
}

/** Compiles a run. Files that it refers to (hosts, resolv.conf) are not written yet. */
export async function compileDockerRun(port: Port, channel: Channel, run: DockerRun, id: Bytes): Promise<CompiledDockerRun> {
  const image = imageOf(run);
  const stateDirectory = `${run.stateRoot}/${id}`;
  const rootfs = await rootDirectory(port, run, stateDirectory);
  const users = await readUsers(port, channel, rootfs);
  const facts = frontendFacts(port, run.flags, { id, rootfs, stateDirectory, users });
  const compiled = compileRun(run.flags, run.command, image, facts);
  const { spec, settings } = compiled;
  const root = run.image === 'host' ? hostImageRoot(port, spec, settings.upper) : directoryImageRoot(port, rootfs);
  const prepared = prepare(port, spec, {
    id,
    root,
    dieWithParent: true,
    init: settings.init,
    trace: settings.trace,
    showSecrets: settings.showSecrets,
    ownFiles: compiled.files.map(({ path }) => path),
  });
  return { id, compiled, prepared };
}

/** Names the flag beside the field where an error comes from a field of the compiled specification. */
export function withSources(error: unknown, sources: ReadonlyMap<Pointer, string>): unknown {
  if (!(error instanceof CaissonError) || error.sources.length > 0) return error;
  const found = error.provenance.flatMap((pointer) => sourceOf(pointer, sources) ?? []);
  return found.length === 0 ? error : new CaissonError(error.message, { ...error, sources: [...new Set(found)] });
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
export async function dockerRun(port: Port, run: DockerRun): Promise<Exit> {
  const channel = await port.openChannel();
  const id = newId(port);
  const options = { stateRoot: run.stateRoot, claimed: true, ...(run.flags.name === undefined ? {} : { name: run.flags.name }) };
  try {
    claim(port, run.stateRoot, recordOf(port, { id, cgroups: [] }, options));
    const made = await compileDockerRun(port, channel, run, id);
    for (const warning of [...made.compiled.warnings, ...made.prepared.warnings]) run.warn(warning);
    return await runCompiled(port, channel, run, made, options);
  } finally {
    await channel.close();
    port.remove(`${run.stateRoot}/${id}`);
  }
}

async function runCompiled(
  port: Port,
  channel: Channel,
  run: DockerRun,
  made: CompiledDockerRun,
  options: RunOptions,
): Promise<Exit> {
  const { compiled, prepared, id } = made;
  const { settings } = compiled;
  if (settings.cidfile !== undefined && port.stat(settings.cidfile) !== undefined) {
    throw new CaissonError(`container ID file found, make sure the other container isn't running or delete ${settings.cidfile}`, {
      code: 'ECONFLICT',
      sources: [`--cidfile ${settings.cidfile}`],
    });
  }
  let detach: (() => void) | undefined;
  try {
    return await runAttached(
      port,
      channel,
      prepared,
      { ...options, trace: settings.trace, files: compiled.files },
      {
        started: (running) => {
          if (settings.cidfile !== undefined) port.replaceFile(settings.cidfile, id, 0o644);
          run.started?.(running, prepared);
          detach = attach(port, running, settings);
        },
      },
    );
  } catch (error) {
    throw withSources(error, compiled.sources);
  } finally {
    detach?.();
  }
}
