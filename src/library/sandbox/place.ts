// A place: a container whose first process waits, its own launcher, and an agent that has joined it.
import type { Cgroup } from '../../cgroups/path.ts';
import { type DockerRunResult, dockerRun } from '../../engine/docker-run.ts';
import { hostPart } from '../../engine/host-part.ts';
import { dockerRunOf } from '../../engine/library-run.ts';
import type { Port } from '../../host/port.ts';
import { bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { type Doors, joinSandbox } from '../../plan/compile-inside.ts';
import { slotValue } from '../../plan/encode.ts';
import type { HostFacts } from '../../plan/facts.ts';
import { maySetGroups, otherNamespaces } from '../../runtime/exec-target.ts';
import type { Prepared } from '../../runtime/prepare.ts';
import type { Running } from '../../runtime/start.ts';
import { defaultStateRoot } from '../../runtime/state.ts';
import type { LinuxNamespaceType, Spec } from '../../spec/runtime-spec.ts';
import { Agent } from './agent.ts';
import { type SandboxOptions, sandboxFlags } from './options.ts';

/** Everything that a run in it needs: found out once. */
export interface Place {
  readonly id: string;
  readonly agent: Agent;
  readonly spec: Spec;
  readonly facts: HostFacts;
  readonly cgroups: readonly Cgroup[];
  readonly namespaces: readonly LinuxNamespaceType[];
  readonly doors: Doors;
  /** Its first process, a process id of the caller's namespace. */
  readonly init: number;
  readonly mayCallSetgroups: boolean;
  /** The agent's descriptor of the root directory. */
  readonly root: number;
  readonly warnings: readonly string[];
  /** Settled when nothing of it is left. */
  readonly ended: Promise<unknown>;
  /** Kills the first process, and with it all others. */
  kill(): Promise<void>;
}

/** Makes a place. Throws CaissonError as `run` of the library; nothing is left then. */
export async function makePlace(port: Port, options: SandboxOptions): Promise<Place> {
  const warnings: string[] = [];
  const { running, prepared, ended } = await startFirst(port, options, warnings);
  const agent = new Agent(port, await port.openChannel({ noInput: true, concurrent: true }));
  try {
    const { facts, spec, cgroups } = prepared;
    const namespaces = otherNamespaces(port, spec, running.pid);
    const join = joinSandbox(running.pid, namespaces, cgroups, facts.privileged);
    const { batch, answer } = await agent.play(join.steps);
    return {
      ...{ id: prepared.id, agent, spec, facts, cgroups, namespaces, init: running.pid, ended },
      doors: {
        write: join.write.map((door) => slotValue(batch, answer, door)),
        into: join.into === undefined ? undefined : slotValue(batch, answer, join.into),
      },
      mayCallSetgroups: namespaces.includes('user') && maySetGroups(port, running.pid),
      root: slotValue(batch, answer, join.root),
      warnings,
      kill: () => running.signal(SIGNALS.SIGKILL),
    };
  } catch (error) {
    await running.signal(SIGNALS.SIGKILL);
    await agent.close();
    await ended;
    throw error;
  }
}

interface First {
  readonly running: Running;
  readonly prepared: Prepared;
  readonly ended: Promise<DockerRunResult | undefined>;
}

/** Starts the container; its first process is the init that has no program. */
async function startFirst(port: Port, options: SandboxOptions, warnings: string[]): Promise<First> {
  const { dataRoot, image, stateRoot } = options;
  const limitable = hostPart(port, {}).cgroups.available;
  if (!limitable && (options.memory === undefined || options.pids === undefined))
    warnings.push('this user has no cgroup: memory and processes of the sandbox are not limited');
  const input = {
    ...(image === undefined ? {} : { image }),
    ...(dataRoot === undefined ? {} : { dataRoot }),
    // Replaced below; an image without a command is as good as any.
    command: ['-'],
    flags: sandboxFlags(port, options, limitable),
  };
  const run = await dockerRunOf(port, input, async (...found) =>
    (await import('../../engine/library-image.ts')).libraryImage(...found),
  );
  const state = stateRoot === undefined ? defaultStateRoot(port) : utf8ToBytes(stateRoot);
  return await new Promise((resolve, reject) => {
    let begun = false;
    const ended = dockerRun(
      port,
      {
        ...run,
        compile: (root, directory) => {
          const compiled = run.compile(root, directory);
          const { process } = compiled.spec;
          const waiting = process === undefined ? {} : { process: { ...process, args: [''] } };
          return { ...compiled, spec: { ...compiled.spec, ...waiting } };
        },
      },
      {
        stateRoot: state,
        capture: true,
        output: () => undefined,
        warn: (message) => {
          warnings.push(bytesToUtf8(message));
        },
        started: (running, prepared) => {
          begun = true;
          resolve({ running, prepared, ended: settled });
        },
      },
    );
    const settled = ended.catch((error: unknown) => {
      if (!begun) reject(error);
      return undefined;
    });
  });
}
