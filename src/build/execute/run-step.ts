// Carries out RUN: in a container on the stage's layers, whose changes become the next layer.
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import { imageRoot } from '../../snapshot/image-root.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { errorIn } from '../dockerfile/source.ts';
import type { RunOperation } from '../graph/operations.ts';
import type { Vertex } from '../progress/progress.ts';
import { makeDirectories } from '../tree/directories.ts';
import { writeNewFile } from '../tree/new-file.ts';
import { removeWork } from '../tree/view.ts';
import type { TreeWorker } from '../tree/worker.ts';
import type { BuildEnvironment, RunEnd } from './environment.ts';
import { openLayers } from './host-stage.ts';
import type { Inputs } from './inputs.ts';
import { hostLayerOf, type ResultLayer, stackOf } from './result.ts';
import { type ReadyMount, readyMount } from './run-mounts.ts';
import { makeStubs } from './stubs.ts';
import { userDatabase } from './users.ts';

/** What a RUN needs beside its operation. */
export interface RunContext {
  readonly environment: BuildEnvironment;
  readonly worker: TreeWorker;
  readonly inputs: Inputs;
  readonly vertex: Vertex;
}

/** Where a container has mounts of its own; sources of /etc are files. */
const OWN_DIRECTORIES: readonly Bytes[] = ['/proc', '/dev', '/sys'];
const OWN_FILES: readonly Bytes[] = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];

/** Lines of output that an error shows again. */
const SHOWN_LINES = 10;

/** Runs the command; `upper` below `directory`, an empty room, takes the changes. Throws CaissonError `EBUILD`. */
export async function runStep(
  context: RunContext,
  operation: RunOperation,
  layers: readonly ResultLayer[],
  directory: Bytes,
): Promise<void> {
  const { environment, worker } = context;
  if (!environment.allowed(INSECURE)) refuseInsecure(operation);
  const mounts = await readyMounts(context, operation);
  try {
    const users = await usersOf(environment, worker, layers);
    const stubs = environment.session.room('stubs');
    makeStubs(environment.disk, stubs, [
      ...OWN_DIRECTORIES.map((path) => ({ path, isDirectory: true })),
      ...OWN_FILES.map((path) => ({ path, isDirectory: false })),
      ...mounts.flatMap(({ mount, isDirectory }) =>
        mount === undefined ? [] : [{ path: mount.destination, isDirectory }],
      ),
    ]);
    const tail = new Tail();
    const end = await environment.run({
      args: operation.args.map(utf8ToBytes),
      env: [...operation.env, ...operation.proxies].map(utf8ToBytes).concat(mounts.flatMap(({ env }) => env)),
      secretNames: new Set(mounts.flatMap(({ secretNames }) => secretNames)),
      cwd: utf8ToBytes(operation.cwd),
      user: utf8ToBytes(operation.user),
      network: operation.network === 'default' ? environment.network : operation.network,
      insecure: operation.insecure,
      ...users,
      mounts: mounts.flatMap(({ mount }) => mount ?? []),
      root: (facts, label) => rootOf(environment, mounts, layers, { stubs, directory }, facts, label),
      output: (stream, bytes) => {
        tail.take(bytes);
        context.vertex.output(stream, bytes);
      },
    });
    if (end.code !== 0) throw failed(operation, end, tail);
  } finally {
    for (const { release } of mounts) await release?.();
    await removeWork(worker, directory);
  }
}

function rootOf(
  { root, hostRoot }: BuildEnvironment,
  mounts: readonly ReadyMount[],
  layers: readonly ResultLayer[],
  { stubs, directory }: { stubs: Bytes; directory: Bytes },
  facts: { readonly kernel: readonly [number, number]; readonly userNamespace: boolean },
  label: Bytes,
) {
  const host = hostLayerOf(layers)?.directory;
  if (host !== undefined) {
    const view = hostRoot(host, facts, label);
    return { steps: [...mounts.flatMap(({ steps }) => steps(facts)), ...view.steps], root: view.root };
  }
  const own = stackOf(root, layers);
  const stack = { directory: root, layers: [stubs.slice(root.length + 1), ...own.layers] };
  const plan = imageRoot({
    stack,
    directory,
    fresh: true,
    kept: false,
    ...facts,
    ...(label === '' ? {} : { label }),
    cause: 'the stage',
  });
  return { steps: [...mounts.flatMap(({ steps }) => steps(facts)), ...plan.steps], root: plan.root };
}

/** `--allow`, BuildKit's word. */
const INSECURE = 'security.insecure';

function refuseInsecure({ insecure, line }: RunOperation): void {
  if (!insecure) return;
  const offset = Math.max(0, line.text.indexOf('--security'));
  throw errorIn(line, offset, `${INSECURE} is not allowed: --allow ${INSECURE} if you trust this Dockerfile`);
}

async function usersOf(environment: BuildEnvironment, worker: TreeWorker, layers: readonly ResultLayer[]) {
  const view = await openLayers(environment, worker, layers);
  try {
    return await userDatabase(worker, view.root);
  } finally {
    await view.close();
  }
}

/** In the order of their depth, so that none covers another. */
async function readyMounts(context: RunContext, operation: RunOperation): Promise<ReadyMount[]> {
  const ready: ReadyMount[] = [];
  try {
    for (const [index, { mount, origin }] of operation.mounts.entries()) {
      const one = await readyMount({ ...context, operation }, mount, origin, index);
      if (one !== undefined) ready.push(one);
    }
  } catch (error) {
    for (const { release } of ready) await release?.();
    throw error;
  }
  if (operation.script !== undefined) ready.push(await scriptMount(context, operation.script));
  const depth = ({ mount }: ReadyMount) => mount?.destination.split('/').length ?? 0;
  return ready.sort((a, b) => depth(a) - depth(b));
}

/** The script in a directory of its own, which everybody may enter. */
async function scriptMount(
  { environment, worker }: RunContext,
  { name, content }: NonNullable<RunOperation['script']>,
): Promise<ReadyMount> {
  const room = environment.session.room('script');
  const top = await worker.openDirectory(room);
  const directory = await makeDirectories(worker, top, 'pipes', 0o755, { uid: 0, gid: 0 });
  await writeNewFile(worker, directory, utf8ToBytes(name), utf8ToBytes(content), 0o755);
  await worker.shut(directory, top);
  const options = ['bind', 'rprivate', 'nosuid', 'nodev', 'ro'];
  const mount: Mount = { type: 'bind', source: `${room}/pipes`, destination: '/dev/pipes', options };
  return { mount, isDirectory: true, steps: () => [], env: [], secretNames: [] };
}

/** The last lines of what a command has written. */
class Tail {
  private text = '';

  take(bytes: Bytes): void {
    this.text = (this.text + bytes).slice(-8192);
  }

  get lines(): Bytes[] {
    return this.text.trimEnd().split(/\r?\n/).slice(-SHOWN_LINES);
  }
}

function failed({ line, args }: RunOperation, end: RunEnd, tail: Tail): CaissonError {
  const how =
    end.signal > 0
      ? `was killed by signal ${end.signal}`
      : `did not complete successfully: exit code: ${end.code}`;
  const why = end.outOfMemory ? ' (out of memory)' : end.outOfProcesses ? ' (too many processes)' : '';
  const command = args.join(' ').replaceAll('\n', ' ');
  const shown = command.length > 200 ? `${command.slice(0, 200)}...` : command;
  const made = errorIn(line, 0, `process "${shown}" ${how}${why}`);
  const lines = tail.lines.filter((text) => text !== '');
  return new CaissonError(made.message, {
    code: 'EBUILD',
    exitCode: 1,
    details: [
      ...made.details,
      ...(lines.length === 0 ? [] : ['its last output:', ...lines.map((text) => `  ${text}`)]),
    ],
  });
}
