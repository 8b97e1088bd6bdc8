// `caisson build`: reads the input, builds the target, and gives the result to where it was asked to go.

import { BuildPlaces } from '../../build/cache/places.ts';
import type { RemoteCache } from '../../build/cache/remote.ts';
import { Session } from '../../build/cache/session.ts';
import { parseDockerfile } from '../../build/dockerfile/parse.ts';
import { errorIn, shownLine } from '../../build/dockerfile/source.ts';
import { Builder } from '../../build/execute/builder.ts';
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import type { StageResult } from '../../build/execute/result.ts';
import { noImageOfHost } from '../../build/export/layers.ts';
import { isProxy } from '../../build/graph/arguments.ts';
import { type BuildPlan, planBuild } from '../../build/graph/plan.ts';
import type { Progress } from '../../build/progress/progress.ts';
import { TreeWorker } from '../../build/tree/worker.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { Port } from '../../host/port.ts';
import { LauncherKernel } from '../../image/store/launcher-kernel.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import { processFacts } from '../../runtime/facts.ts';
import { CaissonError } from '../../spec/error.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import { canonical } from '../../spec/reference.ts';
import { foreignRun } from '../images/platform.ts';
import type { PullPolicy } from '../images/run-image.ts';
import type { Shop } from '../images/shop.ts';
import { buildAgents } from './agents.ts';
import { baseImage } from './base-image.ts';
import type { CachePlace } from './cache-flag.ts';
import { buildInput } from './context.ts';
import { decompressor } from './decompress.ts';
import { fileFetcher } from './fetch.ts';
import { repositoryCloner } from './git.ts';
import { stageOnHost } from './host-base.ts';
import { type GivenContext, namedDirectories, namesOf } from './named-contexts.ts';
import type { BuildOutput } from './output-flag.ts';
import { type BuiltImage, checkOutputs, giveOut, type PlatformResult } from './outputs.ts';
import { containerRunner } from './run-container.ts';
import { buildSecrets } from './secrets.ts';

/** What `caisson build` was asked for. */
export interface BuildRequest {
  /** `PATH | URL | -`. */
  readonly source: Bytes;
  readonly file: Bytes | undefined;
  readonly target: string;
  readonly buildArguments: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly tags: readonly Bytes[];
  readonly secrets: readonly Bytes[];
  readonly agents: readonly Bytes[];
  readonly noCache: boolean;
  readonly cacheFrom: readonly CachePlace[];
  readonly cacheTo: readonly CachePlace[];
  /** `--build-context` */
  readonly contexts: readonly GivenContext[];
  /** `--allow`: privileges that a Dockerfile has not by itself. */
  readonly allow: ReadonlySet<string>;
  /** Names of stages. */
  readonly noCacheFilter: readonly string[];
  readonly pull: PullPolicy;
  readonly network: 'none' | 'host';
  /** At least one; of several the result is an index. */
  readonly platforms: readonly NamedPlatform[];
  readonly platformGiven: boolean;
  readonly outputs: readonly BuildOutput[];
  /** Limits of containers, as flags of `caisson run`. */
  readonly flags: RunFlags;
  readonly stateRoot: Bytes;
}

/** RUNs that run at the same time: one for each processor. */
function parallelism(port: Port): number {
  const processors = (port.readFile('/proc/cpuinfo') ?? '').match(/^processor\s/gm)?.length ?? 1;
  return Math.max(1, processors);
}

/** Throws CaissonError; what was finished before is in the cache. */
export async function build(
  shop: Shop,
  request: BuildRequest,
  progress: Progress,
): Promise<BuiltImage | undefined> {
  const { port, store } = shop;
  const disk = hostDisk();
  const kernel = new LauncherKernel(port);
  const session = new Session(port, disk, kernel, new BuildPlaces(store.root));
  const agents = buildAgents(port, session, request.agents);
  const worker = await TreeWorker.open(port, 'the build');
  try {
    const clone = repositoryCloner(port, session);
    const decompress = decompressor(port);
    const tools = { port, session, worker, clone, decompress };
    const input = await buildInput(tools, request);
    const plans = plansOf(shop, request, input, progress);
    for (const plan of plans) checkTarget(plan, request);
    checkOutputs(request.outputs, plans.length);
    const environment: BuildEnvironment = {
      port,
      disk,
      kernel,
      session,
      root: store.root,
      release: processFacts(port, { ociVersion: '1.3.0' }).kernel,
      context: input.context,
      contexts: await namedDirectories(tools, request.contexts),
      secrets: buildSecrets(port, request.secrets, agents.socket),
      progress,
      network: request.network,
      noCache: (stage) => request.noCache || (stage !== '' && request.noCacheFilter.includes(stage)),
      image: (reference, platform) =>
        baseImage(shop, reference, platform, {
          pull: request.pull,
          explicit: request.platformGiven || !request.platforms.includes(platform),
          warn: (message) => progress.warn(message),
        }),
      run: containerRunner(port, {
        stateRoot: request.stateRoot,
        flags: request.flags,
        warn: (message) => progress.warn(message),
      }),
      foreign: (platform) => foreignRun(port, platform, shop.host),
      allowed: (privilege) => request.allow.has(privilege),
      hostRoot: stageOnHost(port),
      remote: await remoteCache(shop, request, progress),
      blob: (descriptor) => store.blobs.stream(descriptor),
      fetch: fileFetcher(disk, session),
      clone,
      decompress,
      slot: slots(parallelism(port)),
    };
    const results: (PlatformResult & { readonly builder: Builder })[] = [];
    for (const plan of plans) {
      const builder = new Builder(environment, plan, worker);
      const result = await builder.build();
      if (results.length === 0) warnUnused(request, builder.used, plan, progress);
      results.push({ platform: plan.platforms.target, result, builder });
    }
    const built = await giveOut(shop, environment, worker, results, optionsOf(request, plans));
    for (const { builder, result } of results) await giveCaches(shop, environment, request, builder, result);
    return built;
  } finally {
    await worker.close();
    await agents.close();
    await session.commit();
    await session.close();
    await kernel.close();
  }
}

/** `--cache-from`. What speaks to registries is loaded where it is asked for. */
async function remoteCache(
  shop: Shop,
  { cacheFrom }: BuildRequest,
  progress: Progress,
): Promise<RemoteCache> {
  if (cacheFrom.length === 0) return { find: () => undefined };
  const { openCaches } = await import('./registry-cache.ts');
  return await openCaches(shop, cacheFrom, (message) => progress.warn(message));
}

/** `--cache-to`. */
async function giveCaches(
  shop: Shop,
  environment: BuildEnvironment,
  { cacheTo }: BuildRequest,
  { steps }: Builder,
  result: StageResult,
): Promise<void> {
  const own = new Set(
    result.layers.flatMap((layer) => (layer.kind === 'step' ? [layer.step.directory] : [])),
  );
  for (const place of cacheTo) {
    const vertex = environment.progress.begin(
      `exporting the cache to ${bytesToUtf8(canonical(place.reference))}`,
    );
    const used = [...steps.values()]
      .filter(({ step }) => place.mode === 'max' || own.has(step.directory))
      .map(({ step, keys }) => ({ step, keys: [...keys] }));
    try {
      const { pushCache } = await import('./registry-cache.ts');
      await pushCache(shop, environment, used, place);
      vertex.done();
    } catch (error) {
      vertex.failed();
      throw error;
    }
  }
}

/** One for each platform. */
function plansOf(
  shop: Shop,
  request: BuildRequest,
  input: { readonly dockerfileName: string; readonly dockerfile: string },
  progress: Progress,
): BuildPlan[] {
  const dockerfile = parseDockerfile(input.dockerfileName, input.dockerfile);
  for (const { position, message } of dockerfile.warnings) {
    const [line = ''] = shownLine(dockerfile.file, position);
    progress.warn(`${input.dockerfileName}:${position.line}: ${message}: ${bytesToUtf8(line).trim()}`);
  }
  const { platforms } = request;
  return platforms.map((target) =>
    planBuild(dockerfile, {
      target: request.target,
      given: request.buildArguments,
      platforms: { build: shop.host, target },
      contexts: namesOf(request.contexts),
      titled: platforms.length > 1,
    }),
  );
}

/** What has no image is told before anything is built. Throws CaissonError EBUILD. */
function checkTarget({ stages, target }: BuildPlan, { outputs }: BuildRequest): void {
  const wanted = stages[target];
  if (wanted?.base.kind !== 'host' || outputs.every(({ type }) => type === 'cacheonly')) return;
  const { line, base } = wanted.stage.from;
  const { message, details, exitCode } = noImageOfHost();
  const made = errorIn(line, base.offset, message);
  throw new CaissonError(made.message, { code: 'EBUILD', exitCode, details: [...made.details, ...details] });
}

function warnUnused(
  { buildArguments }: BuildRequest,
  used: ReadonlySet<string>,
  plan: BuildPlan,
  progress: Progress,
): void {
  const declared = new Set(
    plan.dockerfile.globalArguments.flatMap(({ arguments: list }) => list.map(({ key }) => key.text)),
  );
  const unused = [...buildArguments.keys()].filter(
    (name) => !used.has(name) && !declared.has(name) && !isProxy(name) && name !== 'SOURCE_DATE_EPOCH',
  );
  if (unused.length > 0) progress.warn(`one or more build-args [${unused.join(' ')}] were not consumed`);
}

function optionsOf(request: BuildRequest, [plan]: readonly BuildPlan[]) {
  const { labels, tags, outputs, buildArguments } = request;
  const text = buildArguments.get('SOURCE_DATE_EPOCH') ?? plan?.globals.get('SOURCE_DATE_EPOCH') ?? '';
  if (text !== '' && !/^\d{1,12}$/.test(text))
    throw new CaissonError('SOURCE_DATE_EPOCH is no number of seconds', { code: 'EUSAGE' });
  return { labels, tags, outputs, epoch: text === '' ? undefined : Number(text) };
}

/** At most so many pieces of work at the same time, the first that came first. */
function slots(most: number): BuildEnvironment['slot'] {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
