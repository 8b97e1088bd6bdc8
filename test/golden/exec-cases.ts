// Golden cases of exec: a process that joins a running container.
import { joinCgroups } from '../../src/cgroups/join.ts';
import { cgroupPath, cgroupsAt } from '../../src/cgroups/path.ts';
import { compileExec, type ExecOptions } from '../../src/plan/compile-exec.ts';
import type { StartPlan } from '../../src/plan/compile.ts';
import type { LinuxNamespaceType, Process } from '../../src/spec/runtime-spec.ts';
import { hostFacts } from './facts.ts';
import { baseSpec, type CgroupChoice, type Change, LAYOUTS, withUserNamespace } from './fixtures.ts';

export interface ExecCase {
  readonly name: string;
  /** What a reader of the plan is to look for. */
  readonly purpose: string;
  readonly process?: Partial<Process>;
  /** Of the container's configuration. */
  readonly change?: Change;
  /** Those that are not the caller's. */
  readonly namespaces?: readonly LinuxNamespaceType[];
  readonly rootless?: boolean;
  readonly cgroup?: CgroupChoice;
  readonly frozen?: boolean;
  readonly options?: Partial<ExecOptions>;
  /** `difference` (the default) to the plan of a plain process in the same container. */
  readonly show?: 'difference' | 'full';
}

const ALL: readonly LinuxNamespaceType[] = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];

function joined(choice: CgroupChoice, frozen: boolean) {
  if (choice === 'none') return {};
  const cgroups = cgroupsAt(LAYOUTS[choice], cgroupPath(undefined, 'golden'));
  const { steps: create, join, release, intoCgroup } = joinCgroups(cgroups, { frozen });
  const plan = { create, join, release, hierarchies: [] };
  return { cgroup: intoCgroup === undefined ? plan : { ...plan, intoCgroup } };
}

export function compileExecCase(one: ExecCase): StartPlan {
  const rootless = one.rootless ?? false;
  const spec = (one.change ?? ((unchanged) => unchanged))(baseSpec(rootless));
  const own: Process = { user: { uid: 0, gid: 0 }, cwd: '/', ...spec.process };
  const process = { ...own, env: ['PATH=/bin', 'HOME=/root'], ...one.process };
  const target = { init: 4711, pidfd: 5, lock: 4, namespaces: one.namespaces ?? ALL };
  return compileExec(spec, process, hostFacts({ rootless }), {
    id: 'golden',
    target,
    ...joined(one.cgroup ?? 'none', one.frozen ?? false),
    ...one.options,
  });
}

/** A plain process in the container of `one`. */
export function plainCase({ process: _, options: __, frozen: ___, ...container }: ExecCase): ExecCase {
  return container;
}

const realtime = { policy: 'SCHED_FIFO', priority: 10 } as const;

export const EXEC_CASES: readonly ExecCase[] = [
  { name: 'exec', purpose: 'the whole plan: born in the pid namespace, everything else in one setns', show: 'full' },
  { name: 'exec-v1', purpose: 'written into every hierarchy by the child, before it goes inside', cgroup: 'v1', show: 'full' },
  { name: 'exec-v2', purpose: 'born in the cgroup by clone3', cgroup: 'v2', show: 'full' },
  { name: 'exec-hybrid-paused', purpose: 'nobody asks whether the container is frozen', cgroup: 'hybrid', frozen: true },
  { name: 'exec-user-namespace', purpose: 'the user namespace comes last, groups of the caller dropped before', change: withUserNamespace, namespaces: [...ALL, 'user'], show: 'full' },
  { name: 'exec-rootless', purpose: 'an ordinary user joins user and pid namespace before the clone', rootless: true, namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'user'], show: 'full' },
  { name: 'exec-rootless-oom', purpose: 'the launcher lends its score to the child', rootless: true, namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'user'], process: { oomScoreAdj: 500 }, options: { ownOomScore: 0 } },
  { name: 'exec-nothing-new', purpose: "a container of the host's namespaces has a root all the same", namespaces: [], show: 'full' },
  { name: 'exec-host-pid', purpose: 'no pid namespace to be born in', namespaces: ['mount', 'uts', 'ipc'] },
  { name: 'exec-time', purpose: 'a time namespace is joined with the others', namespaces: [...ALL, 'time'] },
  { name: 'exec-terminal', purpose: "a terminal of the container's devpts, its master to the launcher", process: { terminal: true, consoleSize: { height: 24, width: 80 }, user: { uid: 1000, gid: 1000 } } },
  { name: 'exec-console-socket', purpose: "the master to the engine's socket, a pidfd to another", process: { terminal: true }, options: { consoleSocket: '/run/engine/console.sock', pidfdSocket: '/run/engine/pidfd.sock' } },
  { name: 'exec-labels', purpose: "written through the caller's procfs, which is closed before the join", process: { apparmorProfile: 'docker-default' } },
  { name: 'exec-user', purpose: 'another user: ids, groups, umask, directory, and pipes of the caller', process: { user: { uid: 1000, gid: 100, additionalGids: [5, 20], umask: 0o27 }, cwd: '/home/alice', args: ['id'] }, options: { ownStdio: [0, 2] } },
  { name: 'exec-privileges', purpose: 'with new privileges the filter is loaded before capabilities are dropped', process: { noNewPrivileges: false }, change: (spec) => ({ ...spec, linux: { ...spec.linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } }) },
  { name: 'exec-scheduling', purpose: 'scheduled before the join, CPUs before and after the cgroups', process: { scheduler: realtime, ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 }, execCPUAffinity: { initial: '0', final: '0-1' }, oomScoreAdj: 100, rlimits: [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 1024 }] } },
  { name: 'exec-preserved-descriptors', purpose: 'the channel lies behind the descriptors that are passed on', options: { preserveFds: 2, noNewKeyring: true } },
];
