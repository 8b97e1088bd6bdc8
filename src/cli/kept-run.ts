// `run` and `create` of containers that stay, and the foreground of `run` and `start --attach`.

import type { ContainerFile } from '../engine/containers/container-file.ts';
import { createContainer } from '../engine/containers/create.ts';
import type { Engine } from '../engine/containers/engine.ts';
import { viewContainer } from '../engine/containers/find.ts';
import { awaitDetachment, type Detachment, passSize } from '../engine/containers/monitor-client.ts';
import { removeContainer } from '../engine/containers/remove.ts';
import { startContainer } from '../engine/containers/start.ts';
import { signalView, waitContainer } from '../engine/containers/stop.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import { parseDetachKeys } from '../frontends/docker/settings.ts';
import type { Bytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import { describeOutOfMemory } from '../runtime/oom.ts';
import { CaissonError } from '../spec/error.ts';
import type { Parsed } from './command.ts';
import { runFlags } from './commands/run-shape.ts';
import { containerEngine } from './container-engine.ts';
import type { Context } from './context.ts';
import { usageError } from './grammar.ts';
import { errorReporter } from './image-shop.ts';

/** Creates the container of a command line. Throws CaissonError. */
export async function createFrom(
  name: string,
  parsed: Parsed,
  context: Context,
  engine: Engine,
): Promise<ContainerFile> {
  const flags = runFlags(parsed);
  const withImage = flags.rootfs === undefined && flags.rootfsTar === undefined;
  const [image, ...rest] = parsed.positionals;
  if (withImage && image === undefined) {
    throw usageError(
      name,
      `'caisson ${name}' requires at least 1 argument: an image (the built-in one is host)`,
    );
  }
  refuseCidfile(context, flags);
  const file = await createContainer(engine, {
    flags,
    command: withImage ? rest : parsed.positionals,
    image: withImage ? image : undefined,
    reporter: errorReporter(context, flags.quiet === true),
  });
  if (flags.cidfile !== undefined) context.port.replaceFile(absolute(context, flags.cidfile), file.id, 0o644);
  return file;
}

function absolute({ port }: Context, path: Bytes): Bytes {
  return path.startsWith('/') ? path : `${port.cwd}/${path}`;
}

function refuseCidfile(context: Context, { cidfile }: RunFlags): void {
  if (cidfile === undefined || context.port.stat(absolute(context, cidfile)) === undefined) return;
  throw new CaissonError(
    `container ID file found, make sure the other container isn't running or delete ${cidfile}`,
    { code: 'ECONFLICT', sources: [`--cidfile ${cidfile}`] },
  );
}

/** `run` of a container that stays. The result is the exit code. */
export async function runKept(parsed: Parsed, context: Context): Promise<number> {
  const engine = await containerEngine(context);
  const flags = runFlags(parsed);
  const descriptors = flags.detach === true ? undefined : attachedDescriptors(flags, context);
  const file = await createFrom('run', parsed, context, engine);
  try {
    if (descriptors === undefined) {
      await startContainer(engine, file.id);
      context.out(file.id);
      return 0;
    }
    return await startAttached(context, engine, file, descriptors, flags);
  } catch (error) {
    if (file.autoRemove) await removeContainer(engine, file.id, { force: true, volumes: true });
    throw error;
  }
}

/** Which of this command's descriptors the container gets. Throws CaissonError `EUSAGE` for an unknown stream. */
export function attachedDescriptors(flags: RunFlags, context: Context): readonly (0 | 1 | 2)[] {
  if (flags.tty === true && flags.interactive === true && context.port.terminal === undefined) {
    throw new CaissonError('the input device is not a TTY: leave out -t, or -i', {
      code: 'EUSAGE',
      sources: ['--interactive', '--tty'],
    });
  }
  const all = { stdin: 0, stdout: 1, stderr: 2 } as const;
  const asked = flags.attach?.map((text) => {
    const fd = all[text.toLowerCase() as keyof typeof all];
    if (fd !== undefined) return fd;
    throw new CaissonError(
      `invalid argument "${text}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
      { code: 'EUSAGE' },
    );
  });
  if (asked !== undefined) return asked;
  return flags.interactive === true ? [0, 1, 2] : [1, 2];
}

/** Starts a container and stays with it to its end. The result is the exit code. */
export async function startAttached(
  context: Context,
  engine: Engine,
  file: ContainerFile,
  descriptors: readonly (0 | 1 | 2)[],
  flags: Pick<RunFlags, 'sigProxy' | 'detachKeys'>,
): Promise<number> {
  const { port } = context;
  const terminal = file.tty && descriptors.includes(0) ? port.terminal : undefined;
  const restore = terminal?.raw?.() ?? (() => undefined);
  let how: Detachment = { kind: 'lost' };
  let endSignals = (): void => undefined;
  try {
    endSignals = proxySignals(engine, file.id, flags.sigProxy !== false && !file.tty);
    await startContainer(engine, file.id, {
      attached: descriptors,
      attach: async (channel) => {
        const end = file.tty ? passSize(port, (bytes) => void channel.send(bytes)) : () => undefined;
        how = await awaitDetachment(channel);
        end();
      },
    });
  } finally {
    endSignals();
    restore();
  }
  return await ending(context, engine, file, how);
}

/** Signals that a person or supervisor sends to the command and means for the container. */
const PROXIED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGALRM',
] as const;

/** Passes signals on, by the container's first process; the result ends that. */
export function proxySignals(engine: Engine, id: Bytes, wanted: boolean): () => void {
  if (!wanted) return () => undefined;
  const numbers = PROXIED.map((name) => SIGNALS[name]);
  return engine.port.onSignals(numbers, (signal) => {
    const view = viewContainer(engine, id);
    if (view !== undefined) void signalView(engine, view, signal);
  });
}

/** What an attached command says at its end, and with which code it leaves. */
export async function ending(
  context: Context,
  engine: Engine,
  file: ContainerFile,
  how: Detachment,
): Promise<number> {
  if (how.kind === 'detached') {
    context.port.write(2, 'read escape sequence\n');
    return 0;
  }
  const memory = file.flags.memory;
  const exit = await waitContainer(engine, file.id, file.autoRemove ? 'removed' : 'not-running').catch(
    (error: unknown) => {
      if (error instanceof CaissonError && error.code === 'ENOTFOUND' && how.kind === 'ended')
        return { code: how.code, oom: false, error: undefined };
      throw error;
    },
  );
  if (exit.oom) {
    const limit =
      memory === undefined ? undefined : (await import('../frontends/number.ts')).parseSize(memory);
    context.port.write(2, `caisson: ${describeOutOfMemory({ limit })}\n`);
  }
  if (how.kind === 'lost' && exit.error !== undefined) {
    context.warn(exit.error);
    return 125;
  }
  return how.kind === 'ended' ? how.code : exit.code;
}

/** `--detach-keys`, or docker's default. */
export function detachKeysOf(text: Bytes | undefined): readonly number[] {
  return parseDetachKeys(text ?? 'ctrl-p,ctrl-q');
}
