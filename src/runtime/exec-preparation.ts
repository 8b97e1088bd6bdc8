// What a process of `exec` is compiled from, found out while the lock is taken: process, facts, namespaces, cgroups.
import type { ChannelOptions, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { StartPlan } from '../plan/compile.ts';
import type { ExecOptions as PlanOptions } from '../plan/compile-exec.ts';
import type { HostFacts } from '../plan/facts.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxNamespaceType, Process, Spec } from '../spec/runtime-spec.ts';
import { type Container, containerSpec, type Target } from './container.ts';
import { execCgroups, foreignStdio, maySetGroups, otherNamespaces } from './exec-target.ts';
import { processFacts } from './facts.ts';
import type { Running } from './start.ts';
import { plainLineFeeds, withConsoleSize } from './terminal.ts';

export interface ExecOptions {
  /** The process, or what makes it of the container's configuration (flags of a command line). */
  readonly process: Process | ((spec: Spec) => Process);
  /** Returns once the program runs. */
  readonly detach?: boolean;
  /** Gets the process id, in decimal. */
  readonly pidFile?: Bytes;
  /** Unix sockets of the caller that get the terminal's master, and a pidfd of the process (SCM_RIGHTS). */
  readonly consoleSocket?: Bytes;
  readonly pidfdSocket?: Bytes;
  /** So many descriptors from 3 on are passed to the process. */
  readonly preserveFds?: number;
  /** `[controller[,controller]:]path` below the container's cgroups. */
  readonly cgroup?: readonly Bytes[];
  readonly ignorePaused?: boolean;
  readonly noNewKeyring?: boolean;
  /** Where its input and output go; default: they are the caller's own. */
  readonly stdio?: Pick<ChannelOptions, 'capture' | 'output' | 'noInput' | 'noOutput' | 'stdio'>;
  /** Called once the program runs, and not where it is detached. */
  readonly started?: (running: Running) => void;
  /** Signals to this process are its own. */
  readonly keepsSignals?: boolean;
  /** Called with the plan before it is played. */
  readonly compiled?: (plan: StartPlan) => void;
}

export interface Preparation {
  readonly spec: Spec;
  /** Its environment may lack HOME. */
  readonly given: Process;
  readonly facts: HostFacts;
  readonly namespaces: readonly LinuxNamespaceType[];
  readonly options: Omit<PlanOptions, 'target'>;
}

/**
 * Reads the container's configuration, and what can be seen of its first process `init`; that this is still it is the
 * caller's to prove afterwards. Throws CaissonError for a process that cannot be.
 */
export function prepareExec(
  port: Port,
  target: Target,
  container: Container,
  init: number,
  options: ExecOptions,
): Preparation {
  const spec = containerSpec(port, target, container);
  const process = typeof options.process === 'function' ? options.process(spec) : options.process;
  checkProcess(process, options);
  const sized = options.consoleSocket === undefined ? withConsoleSize(port, { ...spec, process }) : undefined;
  const given = sized?.process ?? process;
  const facts = processFacts(port, { ...spec, process }, target.id);
  const namespaces = otherNamespaces(port, spec, init);
  const cgroup = execCgroups(port, container.record.cgroups, init, {
    frozen: options.ignorePaused ?? false,
    ...(options.cgroup === undefined ? {} : { given: options.cgroup }),
  });
  return {
    spec,
    given,
    facts,
    namespaces,
    options: {
      ...planOptions(port, process, facts, options, namespaces.includes('user') ? init : undefined),
      id: target.id,
      agent: { bundle: container.record.bundle, status: 'running', pid: init },
      ...(cgroup === undefined ? {} : { cgroup }),
    },
  };
}

/** `user` is a process of the user namespace that is joined. */
function planOptions(
  port: Port,
  process: Process,
  facts: HostFacts,
  options: ExecOptions,
  user: number | undefined,
): Omit<PlanOptions, 'target' | 'id'> {
  const { consoleSocket, pidfdSocket, preserveFds, noNewKeyring } = options;
  const lends = !facts.privileged && process.oomScoreAdj !== undefined;
  return {
    ownStdio: foreignStdio(port, process),
    ...(user === undefined ? {} : { mayCallSetgroups: maySetGroups(port, user) }),
    ...(lends ? { ownOomScore: Number(port.readFile('/proc/self/oom_score_adj')) } : {}),
    ...(consoleSocket === undefined ? { plainLineFeeds: plainLineFeeds(port) } : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    ...(preserveFds === undefined ? {} : { preserveFds }),
    ...(noNewKeyring === undefined ? {} : { noNewKeyring }),
  };
}

/** In runc's words (validateProcessSpec, checkTerminal). */
function checkProcess({ cwd, args = [], terminal = false }: Process, options: ExecOptions): void {
  const { detach = false, consoleSocket } = options;
  const refuse = (message: string, cause: string): never => {
    throw new CaissonError(message, { code: 'EUSAGE', provenance: [cause] });
  };
  if (cwd === '') refuse('Cwd property must not be empty', '/process/cwd');
  if (!cwd.startsWith('/')) refuse('Cwd must be an absolute path', '/process/cwd');
  if (args.length === 0) refuse('args must not be empty', '/process/args');
  if (detach && terminal && consoleSocket === undefined)
    refuse('cannot allocate tty if runc will detach without setting console socket', '/process/terminal');
  if ((!detach || !terminal) && consoleSocket !== undefined)
    refuse('cannot use console socket if runc will not detach or allocate tty', '/process/terminal');
}
