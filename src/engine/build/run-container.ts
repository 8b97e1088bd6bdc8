// One RUN of a build as a container: the pipeline of `caisson run`, with a root and mounts that the build has prepared.
import type { BuildEnvironment, RunEnd, RunRequest } from '../../build/execute/environment.ts';
import { compileRun } from '../../frontends/docker/compile-run.ts';
import type { FrontendFacts, ImageConfig } from '../../frontends/docker/facts.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { HostFacts } from '../../plan/facts.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { dockerRun } from '../docker-run.ts';
import { hostPart } from '../host-part.ts';
import type { OpenImage } from '../opened-image.ts';

/** What containers of a build have in common. */
export interface ContainerOptions {
  readonly stateRoot: Bytes;
  /** Limits and other flags of `caisson run`. */
  readonly flags: RunFlags;
  readonly warn: (message: string) => void;
}

/** The name that commands of a build see; BuildKit's. */
const HOST_NAME = 'buildkitsandbox';

/** Makes the `run` of a build environment. Facts about the host are gathered once. */
export function containerRunner(port: Port, options: ContainerOptions): BuildEnvironment['run'] {
  const flags: RunFlags = { hostname: HOST_NAME, ...options.flags };
  const known = new Map<boolean, ReturnType<typeof hostPart>>();
  return async (request) => {
    const own: RunFlags = request.insecure ? { ...flags, privileged: true } : flags;
    const facts = known.get(request.insecure) ?? hostPart(port, own);
    known.set(request.insecure, facts);
    return await runOne(port, request, { ...options, flags: own }, { ...facts, id: newId(port) });
  };
}

function newId(port: Port): Bytes {
  return `build-${[...port.random(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function runOne(
  port: Port,
  request: RunRequest,
  { stateRoot, flags, warn }: ContainerOptions,
  facts: ReturnType<typeof hostPart>,
): Promise<RunEnd> {
  const { code, signal, oom, processes } = await dockerRun(
    port,
    {
      id: facts.id,
      choice: { kind: 'image' },
      upper: undefined,
      image: opener(request),
      compile: ({ rootfs, users, image }, stateDirectory) => {
        const place = { rootfs, stateDirectory, ...(users === undefined ? {} : { users }) };
        return compile(request, flags, image, { ...facts, ...place });
      },
    },
    { stateRoot, capture: true, output: request.output, warn },
  );
  return { code, signal, outOfMemory: oom !== undefined, outOfProcesses: processes !== undefined };
}

function compile(request: RunRequest, flags: RunFlags, image: ImageConfig, facts: FrontendFacts) {
  const compiled = compileRun({ ...flags, network: request.network }, [], image, facts);
  const { spec } = compiled;
  return { ...compiled, spec: { ...spec, mounts: [...(spec.mounts ?? []), ...request.mounts] } };
}

/** The stage as the image of a container. */
function opener(request: RunRequest): OpenImage {
  const { args, env, cwd, user, passwd, group } = request;
  const config: ImageConfig = { Env: env, Cmd: args, WorkingDir: cwd, User: user };
  return async () => ({
    config,
    rootfs: '/',
    users: { passwd, group },
    root: (spec: Spec) => (facts: HostFacts) => {
      const own = (spec.linux?.namespaces ?? []).some(({ type }) => type === 'user');
      const userNamespace = own || !facts.initialUserNamespace;
      return request.root({ kernel: facts.kernel, userNamespace }, spec.linux?.mountLabel ?? '');
    },
    explain: (error) => error,
    close: async () => undefined,
  });
}
