// Runs hooks: one after the other, with the state on standard input, a time limit, and an error that says what failed.
//
// config.md POSIX-platform Hooks, runtime.md Lifecycle and State. Each hook is a child of a launcher of its own, on the
// host or inside the container, so that both kinds have the same environment (their own), directory and time limit.
import { joinCgroups } from '../cgroups/join.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { errnoText } from '../linux/errno.ts';
import { call, NULL, number, type Slot, slot } from '../plan/call.ts';
import { Context } from '../plan/compile/context.ts';
import {
  compileHook,
  enterContainer,
  type HookPlan,
  type HookProgram,
  hookPointers,
  type Inside,
} from '../plan/compile/hooks.ts';
import { type Answer, type Batch, bufferBytes, slotValue } from '../plan/encode.ts';
import type { HostFacts } from '../plan/facts.ts';
import { step } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import { stringifyJson } from '../spec/json.ts';
import type { ContainerState, Hook, Hooks, Spec } from '../spec/runtime-spec.ts';
import { failure } from './failure.ts';
import { askEnvironment } from './home.ts';
import { RunningHook } from './hook-process.ts';
import { type Played, Player } from './player.ts';
import { isAlive, type ProcessIdentity } from './state.ts';

export type HookKind = keyof Hooks;
export type HostHookKind = Exclude<HookKind, ContainerHookKind>;
export type ContainerHookKind = 'createContainer' | 'startContainer';

/** What a hook reads: `ociState` of a container; the status is that of the kind of hook. */
export interface HookState {
  readonly id: Bytes;
  readonly bundle: Bytes;
  readonly pid?: number;
  readonly annotations?: Readonly<Record<Bytes, Bytes>>;
}

export interface HookOptions {
  /** The first process as the host sees it, where the state has none yet. */
  readonly pid?: number;
  /** Told about each poststop hook that fails; nothing else happens then (runtime.md, Lifecycle, 13). */
  readonly warn?: (message: Bytes) => void;
}

export interface ContainerHookOptions {
  /** The configuration as it was checked, with absolute paths. */
  readonly spec: Spec;
  readonly facts: HostFacts;
  /** The container's own, as in its record: hooks inside it count as its processes. */
  readonly cgroups: readonly Cgroup[];
  readonly noNewKeyring?: boolean;
  /** Whom the pid must belong to, where it is not a child that is waiting. */
  readonly init?: ProcessIdentity;
}

/** Whether any of these lists has a hook. */
export function hasHooks(spec: Spec, kinds: readonly HookKind[]): boolean {
  return hookPointers(spec, kinds).length > 0;
}

/** What the child's answer at PAUSE_HOOKS says about its pid. */
export function pausedPid(
  batch: Batch,
  answer: Answer,
  pause: { readonly pid: Parameters<typeof bufferBytes>[2] },
) {
  return Number.parseInt(bufferBytes(batch, answer, pause.pid), 10);
}

/** runtime.md, Lifecycle: how far the container is when hooks of a kind run. */
const STATUS: Readonly<Record<HookKind, ContainerState>> = {
  prestart: 'creating',
  createRuntime: 'creating',
  createContainer: 'creating',
  startContainer: 'created',
  poststart: 'running',
  poststop: 'stopped',
};

function stateText(kind: HookKind, state: HookState, pid: number): Bytes {
  return stringifyJson({ ...state, status: STATUS[kind], pid });
}

/**
 * Runs the hooks of one kind on the host, in the bundle's directory, until one fails. Throws CaissonError EHOOK
 * `error running KIND hook #N: ...`; a poststop hook that fails is only told, and the next ones run.
 */
export async function runHostHooks(
  port: Port,
  kind: HostHookKind,
  hooks: Hooks | undefined,
  state: HookState,
  options: HookOptions = {},
): Promise<void> {
  const list = hooks?.[kind] ?? [];
  if (list.length === 0) return;
  const cwd = port.stat(state.bundle)?.type === 'directory' ? state.bundle : '/';
  const text = stateText(kind, state, options.pid ?? state.pid ?? 0);
  const run = (player: Player, index: number, hook: Hook) =>
    runOne(port, player, compileHook(programOf(kind, index, hook, { cwd, env: [], state, text })), {
      kind,
      index,
      hook,
    });
  if (kind !== 'poststop') {
    await withLauncher(port, async (player) => {
      for (const [index, hook] of list.entries()) await run(player, index, hook);
    });
    return;
  }
  for (const [index, hook] of list.entries()) {
    try {
      // A launcher each: one that a hook has killed must not be the next one's.
      await withLauncher(port, (player) => run(player, index, hook));
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      options.warn?.(error.message);
    }
  }
}

/**
 * Runs the hooks of one kind inside the container whose first process is `pid` on the host: in its namespaces and
 * cgroups; `createContainer` in the root's directory, seen from outside of it; `startContainer` in its root and working
 * directory, as its user, with its capabilities, limits and filter. Throws CaissonError EHOOK.
 */
export async function runContainerHooks(
  port: Port,
  kind: ContainerHookKind,
  hooks: Hooks | undefined,
  state: HookState,
  pid: number,
  options: ContainerHookOptions,
): Promise<void> {
  const list = hooks?.[kind] ?? [];
  if (list.length === 0) return;
  const text = stateText(kind, state, innerPid(port, pid));
  const { spec } = options;
  await withLauncher(port, async (player) => {
    // runc: a startContainer hook without an environment has the container's; on the host nothing is inherited.
    const env = kind === 'startContainer' ? await environmentIn(player, spec, pid) : [];
    const { at, cwd } = await enter(port, player, kind, pid, state.id, options);
    for (const [index, hook] of list.entries()) {
      const program = programOf(kind, index, hook, { cwd, env, state, text });
      const context = contextOf(state.id, options, maySetGroups(port, pid));
      const cgroup = options.cgroups.length === 0 ? undefined : cgroupPlan(options.cgroups);
      const inside = { at: { ...at, cgroup }, context, asProcess: kind === 'startContainer' };
      await runOne(port, player, compileHook(program, inside), { kind, index, hook });
    }
  });
}

async function environmentIn(player: Player, spec: Spec, pid: number): Promise<readonly Bytes[]> {
  const environment = await askEnvironment(player, { ...spec, root: { path: `/proc/${pid}/root` } });
  return (await environment()) ?? [];
}

function cgroupPlan(cgroups: readonly Cgroup[]) {
  const { steps, ...rest } = joinCgroups(cgroups);
  return { ...rest, create: steps, hierarchies: [] };
}

/** `mapHelpers`: a user namespace whose root may set groups (user_namespaces(7)). */
function contextOf(
  id: Bytes,
  { spec, facts, noNewKeyring = false }: ContainerHookOptions,
  mapHelpers: boolean,
): Context {
  const root = { steps: [], root: slot('root') };
  return new Context(spec, facts, { id, noNewKeyring, mapHelpers, root });
}

function maySetGroups(port: Port, pid: number): boolean {
  return port.readFile(`/proc/${pid}/setgroups`)?.startsWith('allow') ?? false;
}

/** The launcher opens the container and is led into its pid namespace. */
async function enter(
  port: Port,
  player: Player,
  kind: ContainerHookKind,
  pid: number,
  id: Bytes,
  options: ContainerHookOptions,
): Promise<{ at: Omit<Inside, 'cgroup'>; cwd: Bytes | number }> {
  const entrance = enterContainer(contextOf(id, options, false), kind, pid);
  const { batch, answer } = await player.play(entrance.steps);
  const opened = (from: Slot | undefined) => (from === undefined ? -1 : slotValue(batch, answer, from));
  const pidfd = opened(entrance.pidfd);
  // The descriptor names one process for good; a look at its start time now says which.
  if (options.init !== undefined && !isAlive(port, options.init))
    throw new CaissonError(`container ${id} has ended`, { code: 'ESTATE', exitCode: 1 });
  const join = entrance.join(pidfd);
  if (join.length > 0) await player.play(join);
  return {
    at: { pidfd, time: opened(entrance.time), root: opened(entrance.root), flags: entrance.flags },
    cwd: entrance.cwd === undefined ? (options.spec.root?.path ?? '/') : opened(entrance.cwd),
  };
}

/** The last number of NSpid in /proc/PID/status (proc(5)): what the process is in its own namespace. */
function innerPid(port: Port, pid: number): number {
  const line = port.readFile(`/proc/${pid}/status`)?.match(/^NSpid:\s*(.*)$/m)?.[1] ?? '';
  return Number.parseInt(line.split(/\s+/).at(-1) ?? '', 10) || pid;
}

async function withLauncher(port: Port, work: (player: Player) => Promise<void>): Promise<void> {
  const channel = await port.openChannel({ noInput: true });
  try {
    await work(new Player(port, channel));
  } finally {
    await channel.close();
  }
}

interface Surroundings {
  readonly cwd: Bytes | number;
  readonly env: readonly Bytes[];
  readonly state: HookState;
  readonly text: Bytes;
}

function programOf(
  kind: HookKind,
  index: number,
  { path, args = [], env = [] }: Hook,
  { cwd, env: inherited, state, text }: Surroundings,
): HookProgram {
  const file = (name: 'stdout' | 'stderr') => {
    const asked = state.annotations?.[`run.oci.hooks.${name}`];
    if (asked === undefined || asked === '') return {};
    return { [name]: asked.startsWith('/') ? asked : `${state.bundle}/${asked}` };
  };
  return {
    title: `${kind} hook #${index}`,
    cause: `/hooks/${kind}/${index}`,
    path,
    args: args.length === 0 ? [path] : args,
    env: env.length === 0 ? inherited : env,
    cwd,
    state: text,
    ...file('stdout'),
    ...file('stderr'),
  };
}

interface Which {
  readonly kind: HookKind;
  readonly index: number;
  readonly hook: Hook;
}

function hookError({ kind, index }: Which, why: string): CaissonError {
  return new CaissonError(`error running ${kind} hook #${index}: ${why}`, {
    code: 'EHOOK',
    provenance: [`/hooks/${kind}/${index}`],
    exitCode: 1,
  });
}

async function runOne(port: Port, player: Player, plan: HookPlan, which: Which): Promise<void> {
  const played = await begin(player, plan, which);
  const { batch, answer } = played;
  const deadline = which.hook.timeout === undefined ? undefined : port.monotonic() + which.hook.timeout * 1e9;
  const running = new RunningHook(player, {
    pid: slotValue(batch, answer, plan.pid),
    pidfd: slotValue(batch, answer, plan.pidfd),
    stdout: descriptorOf(played, plan.outputs.stdout),
    stderr: descriptorOf(played, plan.outputs.stderr),
  });
  try {
    const why = await running.wait(() => deadline && Math.max(0, (deadline - port.monotonic()) / 1e6));
    if (why === 'timeout') {
      throw hookError(which, `hook ran past specified timeout of ${(which.hook.timeout ?? 0).toFixed(1)}s`);
    }
    if (why === '') return;
    const { stdout, stderr } = running.output;
    throw hookError(which, `${why}, stdout: ${stdout}, stderr: ${stderr}`);
  } finally {
    await running.close();
  }
}

function descriptorOf({ batch, answer }: Played, from: Slot | undefined): number {
  return from === undefined ? -1 : slotValue(batch, answer, from);
}

/** Plays the plan up to the hook's execve. Throws where one of the two processes fails before that. */
async function begin(player: Player, plan: HookPlan, which: Which): Promise<Played> {
  const batch = await player.send(plan.steps);
  const answer = await player.receive(true);
  if (answer.kind === 'done') return { batch, answer };
  const record = batch.records[answer.index];
  if (record?.step.actor !== 'child') throw hookError(which, failure(batch, answer).message);
  await player.send([
    step('parent', 'exit', 'end the child', 'default: clean up', [call('exit_group', [number(1)])]),
  ]);
  const parent = await player.receive(true);
  const pid = slotValue(batch, parent, plan.pid);
  await player.play([
    step('parent', 'reap', 'reap the child', 'default: clean up', [
      call('wait4', [number(pid), NULL, number(0), NULL]),
    ]),
  ]);
  if (record.call.name !== 'execve') throw hookError(which, failure(batch, answer).message);
  throw hookError(which, `fork/exec ${which.hook.path}: ${errnoText(answer.errno)}`);
}
