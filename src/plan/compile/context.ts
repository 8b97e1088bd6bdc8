// What the parts of the plan compiler share: the specification, the facts, and the list of steps under construction.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { LinuxNamespaceType, Spec } from '../../spec/runtime-spec.ts';
import type { Call, Slot } from '../call.ts';
import { CHANNEL } from '../channel.ts';
import type { HostFacts } from '../facts.ts';
import { type Actor, type Step, step } from '../step.ts';
import type { Fd } from '../syscalls.ts';
import type { HostNetDevice } from './net-devices.ts';
import type { AgentState } from './notify.ts';

/** How one namespace of the container comes about. */
export type NamespaceMode = { readonly kind: 'new' } | { readonly kind: 'join'; readonly path: Bytes };

/** What cgroups contribute (src/cgroups): steps before the fork, joins in the child, and the v2 directory. */
export interface CgroupPlan {
  readonly create: readonly Step[];
  readonly join: readonly Step[];
  /** After the fork, in the parent. */
  readonly release: readonly Step[];
  readonly intoCgroup?: Slot;
  /** What a mount of type `cgroup` shows: directories of this container, or all that the host mounts at `base`. */
  readonly hierarchies: readonly { readonly base: Bytes; readonly path: Bytes; readonly version: 1 | 2 }[];
}

/** How the root comes about (src/snapshot): child steps that end with an attached mount behind `root`. */
export interface RootPlan {
  /** Steps of the launcher before the fork, for what the child of a user namespace may not do. */
  readonly before?: readonly Step[];
  /** Steps of the launcher after the fork, which let go what the child has inherited. */
  readonly after?: readonly Step[];
  readonly steps: readonly Step[];
  readonly root: Slot;
}

/** Where a created container waits: `socket` is made there, a path of the host. */
export interface Barrier {
  readonly socket: Bytes;
}

/**
 * The launcher's last step: it becomes the monitor. A batch of its own, once the program runs: descriptors are known by
 * then, `of` says which. Takes the pidfd of the container, and its terminal.
 */
export type BecomeMonitor = (
  of: (slot: Slot) => Slot | number,
  pidfd: Slot,
  terminal: Slot | undefined,
) => readonly Step[];

/** How a launcher becomes a monitor (monitor.ts); the OCI runtime has none. */
export interface MonitorPart {
  /** Adds the steps before the fork. */
  open(c: Context): BecomeMonitor;
}

/** What a caller of the compiler decides, beside the specification. */
export interface CompileOptions {
  readonly id: Bytes;
  readonly root: RootPlan;
  readonly cgroup?: CgroupPlan;
  /** Maps written by newuidmap and newgidmap during the pause `id-maps`, not by the launcher. */
  readonly mapHelpers?: boolean;
  /** The container dies with the launcher (an attached run). */
  readonly dieWithParent?: boolean;
  /** PID 1 of `--init`, as the bytes of a static program. */
  readonly initProgram?: Bytes;
  /** Processes whose user namespaces carry the mappings of id-mapped mounts, by the mount's pointer. */
  readonly idmapped?: ReadonlyMap<Pointer, number>;
  /** Binds of which only a directory below the source is mounted: its path, which is resolved inside the source. */
  readonly subpaths?: ReadonlyMap<Pointer, Bytes>;
  /** CPUs of the first process, a list such as `0-3,7`; the specification has affinity for exec only. */
  readonly affinity?: Bytes;
  /** The program's environment, where it is not the specification's; asked for when the rest of a start is compiled. */
  readonly environment?: () => readonly Bytes[] | undefined;
  readonly noPivot?: boolean;
  /** With `noPivot`: mount points of the host's procfs and sysfs, which would stay behind the root. */
  readonly kernelMounts?: readonly Bytes[];
  readonly noNewKeyring?: boolean;
  /** The container waits for `start` before it executes, and outlives the launcher. */
  readonly barrier?: Barrier;
  /** The terminal's master goes to this socket of the host instead of to the launcher. */
  readonly consoleSocket?: Bytes;
  /** A line feed of the program leaves its terminal as it is: nobody sits at another end who would need ONLCR. */
  readonly plainLineFeeds?: boolean;
  /** A pidfd of the container goes to this socket of the host. */
  readonly pidfdSocket?: Bytes;
  /** So many descriptors from 3 on are passed to the program; the channel lies behind them. */
  readonly preserveFds?: number;
  /** Standard descriptors that are to belong to the process's user. */
  readonly ownStdio?: readonly number[];
  /** The host's devices of linux.netDevices, by name. */
  readonly netDevices?: ReadonlyMap<Bytes, HostNetDevice> | undefined;
  /** What an agent of SCMP_ACT_NOTIFY is told. */
  readonly agent?: AgentState;
  /** The container outlives its command: the launcher becomes its monitor. */
  readonly monitor?: MonitorPart;
  /** A descriptor of the launcher that the child must not keep: the lock of the command. */
  readonly lock?: number;
  /** Stamped trace: the child answers once more before it executes. */
  readonly trace?: boolean;
  readonly showSecrets?: boolean;
}

export class Context {
  readonly spec: Spec;
  readonly facts: HostFacts;
  readonly options: CompileOptions;
  readonly namespaces: ReadonlyMap<LinuxNamespaceType, NamespaceMode>;
  readonly steps: Step[] = [];
  /** User namespaces for id-mapped mounts that the launcher has opened, by the mount's pointer. */
  readonly idmapNamespaces = new Map<Pointer, Slot>();
  /** Directories below the root that are open already, by path without the leading slash. */
  readonly directories = new Map<Bytes, Slot>();
  /** The names of `directories` that lie directly in each of them. */
  readonly inside = new Map<Bytes, Bytes[]>();
  /** Sources of shared binds that are open already, by the mount's pointer. */
  readonly sharedSources = new Map<Pointer, Slot>();

  constructor(spec: Spec, facts: HostFacts, options: CompileOptions) {
    this.spec = spec;
    this.facts = facts;
    this.options = options;
    this.namespaces = namespaceModes(spec);
  }

  /** The channel's descriptor in launcher and child. */
  get channel(): number {
    return CHANNEL + (this.options.preserveFds ?? 0);
  }

  get root(): Slot {
    return this.options.root.root;
  }

  isNew(type: LinuxNamespaceType): boolean {
    return this.namespaces.get(type)?.kind === 'new';
  }

  /** In a user namespace other than the caller's: no mknod, no raising of limits, locked mounts. */
  get inUserNamespace(): boolean {
    return this.namespaces.has('user');
  }

  add(
    actor: Actor,
    id: string,
    title: string,
    cause: Pointer | readonly Pointer[],
    calls: readonly Call[],
    undo?: Call[],
  ) {
    if (calls.length > 0) this.steps.push(step(actor, id, title, cause, calls, undo));
  }

  child(id: string, title: string, cause: Pointer | readonly Pointer[], calls: readonly Call[]): void {
    this.add('child', id, title, cause, calls);
  }

  parent(
    id: string,
    title: string,
    cause: Pointer | readonly Pointer[],
    calls: readonly Call[],
    undo?: Call[],
  ): void {
    this.add('parent', id, title, cause, calls, undo);
  }
}

function namespaceModes(spec: Spec): Map<LinuxNamespaceType, NamespaceMode> {
  const modes = new Map<LinuxNamespaceType, NamespaceMode>();
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    modes.set(type, path === undefined || path === '' ? { kind: 'new' } : { kind: 'join', path });
  }
  return modes;
}

/** Where a namespace stands in the configuration. */
export function namespacePointer(spec: Spec, type: LinuxNamespaceType): Pointer {
  const index = (spec.linux?.namespaces ?? []).findIndex((namespace) => namespace.type === type);
  return index < 0 ? `default: no ${type} namespace` : `/linux/namespaces/${index}`;
}

/** The error for a configuration that this host or the plan cannot carry out. */
export function unsupported(message: string, cause: Pointer): CaissonError {
  return new CaissonError(message, { code: 'EUNSUPPORTED', provenance: [cause] });
}

/** `/a//b/./c/` as `a/b/c`; `..` is left to openat2(2), which keeps it inside the root. */
export function relative(path: Bytes): Bytes {
  // Nearly every path is written so, and this is asked for each of them often.
  if (path.startsWith('/') && !path.includes('//') && !path.includes('/.') && !path.endsWith('/'))
    return path.slice(1);
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

export type { Fd };
