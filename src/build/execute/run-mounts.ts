// The mounts of one RUN: each becomes a mount of the container's configuration, or a variable, with what prepares it.
//
// Sources are resolved inside the tree that they come from, on descriptors, and copied or overlaid: what a command writes
// to a bind mount is thrown away with it and never reaches the context (CVE-2025-4953), and another step that changes
// the source at the same time changes nothing here (CVE-2024-23651).
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import type { Step } from '../../plan/step.ts';
import type { CaissonError } from '../../spec/error.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import type { RunMount } from '../dockerfile/run-mount.ts';
import { errorIn } from '../dockerfile/source.ts';
import type { Origin, RunOperation } from '../graph/operations.ts';
import { absolutePath } from '../ignore/clean-path.ts';
import { copyFiles } from '../tree/copy.ts';
import { makeDirectories } from '../tree/directories.ts';
import { follow } from '../tree/resolve.ts';
import { select } from '../tree/select.ts';
import type { TreeWorker } from '../tree/worker.ts';
import { cacheDirectory } from './cache-mount.ts';
import { type BuildEnvironment, contextOf } from './environment.ts';
import { openLayers } from './host-stage.ts';
import type { Inputs } from './inputs.ts';
import { type LayerMount, layerMountSteps, secretSteps } from './prepared-mounts.ts';
import { hostLayerOf, type ResultLayer, stackOf } from './result.ts';

/** A mount that is ready. */
export interface ReadyMount {
  readonly mount?: Mount;
  readonly isDirectory: boolean;
  /** Steps of the child, before its root is made. */
  readonly steps: (facts: {
    readonly kernel: readonly [number, number];
    readonly userNamespace: boolean;
  }) => Step[];
  readonly env: readonly Bytes[];
  /** Names of `env` that hold secrets. */
  readonly secretNames: readonly string[];
  /** Lets a cache go. */
  readonly release?: () => Promise<void>;
}

export interface MountContext {
  readonly environment: BuildEnvironment;
  readonly worker: TreeWorker;
  readonly operation: RunOperation;
  readonly inputs: Inputs;
}

const NO_STEPS = () => [];
const SECRET_LIMIT = 500 << 10;

/** Prepares a mount. Throws CaissonError EDOCKERFILE. */
export async function readyMount(
  context: MountContext,
  mount: RunMount,
  origin: Origin,
  index: number,
): Promise<ReadyMount | undefined> {
  switch (mount.type) {
    case 'tmpfs':
      return tmpfs(context, mount);
    case 'secret':
      return secret(context, mount, index);
    case 'ssh':
      return await agent(context, mount, index);
    case 'cache':
      return await cache(context, mount, origin);
    case 'bind':
      return origin.kind === 'context'
        ? await fromContext(context, mount, origin.name)
        : await fromLayers(context, mount, (await context.inputs.of(origin)).layers, index);
  }
}

function wrong({ operation }: MountContext, { word }: RunMount, message: string): CaissonError {
  return errorIn(operation.line, word.offset, `--mount: ${message}`);
}

/** Where it is mounted, absolute. */
function targetOf(context: MountContext, mount: RunMount, target: string): Bytes {
  if (target === '') throw wrong(context, mount, 'target is missing');
  const path = target.startsWith('/') ? absolutePath(target) : absolutePath(context.operation.cwd, target);
  if (path === '/') throw wrong(context, mount, `invalid mount target ${JSON.stringify(path)}`);
  return utf8ToBytes(path);
}

function plain(mount: Mount, isDirectory: boolean): ReadyMount {
  return { mount, isDirectory, steps: NO_STEPS, env: [], secretNames: [] };
}

function bind(source: Bytes, destination: Bytes, readOnly: boolean, more: readonly string[] = []): Mount {
  const options = ['rbind', 'rprivate', 'nosuid', 'nodev', ...more, readOnly ? 'ro' : 'rw'];
  return { type: 'bind', source, destination, options };
}

function tmpfs(context: MountContext, mount: RunMount): ReadyMount {
  const destination = targetOf(context, mount, mount.target);
  const size = mount.size === 0 ? [] : [`size=${mount.size}`];
  const options = ['nosuid', 'nodev', ...size, ...(mount.readOnly ? ['ro'] : [])];
  return plain({ type: 'tmpfs', source: 'tmpfs', destination, options }, true);
}

function secret(context: MountContext, mount: RunMount, index: number): ReadyMount | undefined {
  const { environment } = context;
  const id = mount.id !== '' ? mount.id : mount.source !== '' ? mount.source : lastPart(mount.target);
  const content = environment.secrets.secret(id);
  if (content === undefined) {
    if (!mount.required) return undefined;
    throw wrong(context, mount, `the secret ${id} was not given: caisson build --secret id=${id},src=FILE`);
  }
  if (content.length > SECRET_LIMIT)
    throw wrong(context, mount, `the secret ${id} has more than ${SECRET_LIMIT} bytes`);
  const env: Bytes[] = [];
  if (mount.env !== undefined) {
    if (!/^[^=\0]+$/.test(mount.env) || content.includes('\0'))
      throw wrong(context, mount, `the secret ${id} cannot be a variable`);
    env.push(`${utf8ToBytes(mount.env)}=${content}`);
  }
  const secretNames = mount.env === undefined ? [] : [mount.env];
  if (mount.env !== undefined && mount.target === '')
    return { isDirectory: false, steps: NO_STEPS, env, secretNames };
  const target = mount.target === '' ? `/run/secrets/${lastPart(id)}` : mount.target;
  const destination = targetOf(context, mount, target);
  const place = preparedFile(environment, `secret-${index}`);
  const { uid = 0, gid = 0, mode = 0o400 } = mount;
  return {
    mount: bind(`${place}/file`, destination, true, ['noexec']),
    isDirectory: false,
    steps: () => secretSteps({ place, content, uid, gid, mode, cause: `secret ${id}` }),
    env,
    secretNames,
  };
}

/** An empty file, over which a tmpfs with another file will be mounted. */
function preparedFile({ session, disk }: BuildEnvironment, name: string): Bytes {
  const place = session.room(name);
  disk.create(`${place}/file`, 0o600).close();
  return place;
}

function lastPart(path: string): string {
  return (
    path
      .split('/')
      .filter((part) => part !== '')
      .at(-1) ?? path
  );
}

async function agent(context: MountContext, mount: RunMount, index: number): Promise<ReadyMount | undefined> {
  const id = mount.id === '' ? 'default' : mount.id;
  const path = await context.environment.secrets.agent(id);
  if (path === undefined) {
    if (!mount.required) return undefined;
    throw wrong(context, mount, `the agent ${id} was not given: caisson build --ssh ${id}`);
  }
  const target = mount.target === '' ? `/run/buildkit/ssh_agent.${index}` : mount.target;
  const destination = targetOf(context, mount, target);
  return {
    ...plain(bind(path, destination, false), false),
    env: [`SSH_AUTH_SOCK=${destination}`],
  };
}

async function cache(context: MountContext, mount: RunMount, origin: Origin): Promise<ReadyMount> {
  const destination = targetOf(context, mount, mount.target);
  const id = mount.id === '' ? destination : mount.id;
  const layers = origin.kind === 'nothing' ? [] : (await context.inputs.of(origin)).layers;
  const { directory, release } = await cacheDirectory(context, mount, id, layers);
  return { ...plain(bind(directory, destination, mount.readOnly), true), release };
}

/** The files are copied, without what is ignored; one copy serves all that only read it. */
async function fromContext(
  context: MountContext,
  mount: RunMount,
  name: string | undefined,
): Promise<ReadyMount> {
  const { environment, worker } = context;
  const { directory, ignore } = contextOf(environment, name);
  const destination = targetOf(context, mount, mount.target);
  const top = await worker.openDirectory(directory ?? environment.session.room('empty'));
  try {
    const { found } = await select(worker, top, mount.source.replace(/[*?[\\]/g, '\\$&'), {
      ignore,
      exclude: [],
    });
    const [selected] = found;
    if (selected === undefined)
      throw wrong(context, mount, `${mount.source}: not found in the build context`);
    const room = environment.session.room('bind');
    const to = await makeDirectories(worker, await worker.openDirectory(room), 'source', 0o755, {
      uid: 0,
      gid: 0,
    });
    const cut = selected.prefix === '' || selected.kind === 'file' ? 0 : selected.prefix.length + 1;
    const items = selected.entries.map((entry) => ({
      entry,
      to: selected.kind === 'file' ? 'file' : entry.path.slice(cut),
    }));
    await copyFiles(worker, items, { from: selected.directory, to, owner: { uid: 0, gid: 0 }, mode: '' });
    await worker.shut(to, selected.directory);
    const source = selected.kind === 'file' ? `${room}/source/file` : `${room}/source`;
    return plain(bind(source, destination, mount.readOnly), selected.kind !== 'file');
  } finally {
    await worker.shut(top);
  }
}

/** A view of the layers, with a place for changes that is thrown away. */
async function fromLayers(
  context: MountContext,
  mount: RunMount,
  layers: readonly ResultLayer[],
  index: number,
): Promise<ReadyMount> {
  const { environment, worker } = context;
  if (hostLayerOf(layers) !== undefined)
    throw wrong(context, mount, "this machine's own files are not mounted: use COPY --from, or FROM host");
  const destination = targetOf(context, mount, mount.target);
  const view = await openLayers(environment, worker, layers);
  const there = await follow(worker, view.root, utf8ToBytes(absolutePath(mount.source)));
  await view.close();
  if (there === undefined) throw wrong(context, mount, `${mount.source || '/'}: not found there`);
  const isDirectory = there.type === 'directory';
  const room = environment.session.room(`layers-${index}`);
  const point = `${room}/point`;
  if (isDirectory) environment.disk.makeDirectory(point, 0o755);
  else environment.disk.create(point, 0o644).close();
  environment.disk.makeDirectory(`${room}/view`, 0o755);
  const prepared: LayerMount = {
    stack: stackOf(environment.root, layers),
    room,
    source: utf8ToBytes(absolutePath(mount.source).slice(1)),
    point,
    cause: `--mount from ${mount.from}`,
  };
  return {
    ...plain(bind(point, destination, mount.readOnly), isDirectory),
    steps: (facts) => layerMountSteps(prepared, facts),
  };
}
