// Compiles the making of a container's cgroups: directories, limits, device rules, and how the process gets in.
import type { Bytes } from '../linux/bytes.ts';
import { AT_REMOVEDIR, O_CLOEXEC, O_RDONLY, O_RDWR, O_WRONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, fchownat, mkdirat, openat, unlinkat, write } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import {
  CPUSET_FILES,
  cloneChildren,
  copyCpuset,
  cpusetFiles,
  type KnownFiles,
  planCpuset,
} from './cpuset.ts';
import { deviceProgram } from './device-program.ts';
import { deviceStepsV1 } from './devices-v1.ts';
import { deviceStepsV2 } from './devices-v2.ts';
import { emptyCheck, thawedCheck } from './fitness.ts';
import { joinFile } from './join.ts';
import { type CgroupLayout, hierarchyName, hierarchyOf } from './layout.ts';
import { type IgnoredField, limitStep, unsupported } from './limit.ts';
import { type Cgroup, type CgroupPath, cgroupsAt } from './path.ts';
import { type PlacedLimit, resourceLimits } from './resources.ts';
import { controllersFor, enableStep, subtreeFiles, threadedDirectories, threadedStep } from './subtree.ts';

export interface CgroupOptions {
  /** `cgroupsAt` of the layout and the path, where the caller has it. */
  readonly cgroups?: readonly Cgroup[];
  /** Contents of the files that `cgroupFiles` asks for. Without them every start does the work of the first one. */
  readonly files?: KnownFiles;
  /** `new`: the directories must not exist. `empty`: they may, without processes and not frozen. */
  readonly leaf?: 'new' | 'empty';
  /** Ancestors that the caller found missing: undo takes them away again. */
  readonly absent?: ReadonlySet<Bytes>;
  /** Played when the directories are there: until then nobody takes the ancestors away. */
  readonly release?: Step;
  /** `skip` where devices cannot be ruled: in a user namespace, or without CAP_BPF and CAP_NET_ADMIN. */
  readonly devices?: 'enforce' | 'skip';
  /** Provenance of each device rule, where it is not `/linux/resources/devices/N` (the default rules). */
  readonly deviceProvenance?: readonly Pointer[];
  /** How the process enters the v2 cgroup: with clone3 CLONE_INTO_CGROUP, or by writing like on v1. */
  readonly unified?: 'clone' | 'write';
  /** Host ids that own the v2 cgroup (config-linux.md, Cgroup ownership), and the files to hand over. */
  readonly owner?: { readonly uid: number; readonly gid: number; readonly files?: readonly Bytes[] };
}

export interface CgroupPlan {
  readonly cgroups: readonly Cgroup[];
  /** Actor parent, before FORK; with undo. */
  readonly steps: readonly Step[];
  /** Actor child, first thing after FORK; unshare(CLONE_NEWCGROUP) must follow, so that its root is these cgroups. */
  readonly join: readonly Step[];
  /** For `cgroup` of clone3 with CLONE_INTO_CGROUP: the open v2 directory. */
  readonly intoCgroup?: Slot;
  /** Actor parent, after FORK: closes what the child has inherited. */
  readonly release: readonly Step[];
  /** Fields that have no effect here; worth a warning. */
  readonly ignored: readonly IgnoredField[];
}

/** /sys/kernel/cgroup/delegate of a kernel that does not say (config-linux.md). */
const DELEGATED: readonly Bytes[] = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

/**
 * The files worth reading before `cgroupSteps`: call it with what is known until it asks for nothing more (at most
 * twice). A file that does not exist is known as undefined.
 */
export function cgroupFiles(
  layout: CgroupLayout,
  path: CgroupPath,
  known: KnownFiles,
  cgroups = cgroupsAt(layout, path),
): Bytes[] {
  const cpuset = hierarchyOf(
    cgroups.filter(({ version }) => version === 1),
    'cpuset',
  );
  const unified = layout.mode === 'v2' ? cgroups : [];
  return [
    ...(cpuset === undefined ? [] : cpusetFiles(cpuset.parents, known)),
    ...unified.flatMap((cgroup) => subtreeFiles(cgroup, known)),
  ];
}

/**
 * The steps that make the cgroups of one container in every hierarchy, set its limits before any process is inside,
 * and open what it joins through. Throws CaissonError for values out of range, for limits whose controller this host
 * does not have, and for device rules without a devices controller.
 */
export function cgroupSteps(
  resources: LinuxResources,
  layout: CgroupLayout,
  path: CgroupPath,
  options: CgroupOptions = {},
): CgroupPlan {
  const cgroups = options.cgroups ?? cgroupsAt(layout, path);
  const ignored: IgnoredField[] = [];
  const limits = resourceLimits(resources, cgroups, {
    ignore: (provenance, reason) => ignored.push({ provenance, reason }),
  });
  const doors = cgroups.map((cgroup): Door => {
    const name = hierarchyName(cgroup);
    const enter = cgroup.version === 2 && options.unified !== 'write' ? 'clone' : 'write';
    return {
      cgroup,
      name,
      enter,
      directory: slot(`cgroup ${name}`),
      procs: slot(`${joinFile(cgroup)} of ${name}`),
    };
  });
  const into = doors.find(({ enter }) => enter === 'clone');
  const context: Context = { layout, path, options, known: options.files ?? new Map(), limits };
  const steps = [
    ...parentsStep(doors, context),
    ...doors.flatMap((door) => makeSteps(door, context)),
    ...(options.release === undefined ? [] : [options.release]),
    openStep(doors, context),
    ...limits.map(({ cgroup, limit }) => limitStep(cgroup.directory, limit)),
    ...deviceSteps(resources, doors, options),
    ...doors.flatMap((door) => ownerSteps(door, options)),
  ];
  const plan = { cgroups, steps, join: joinSteps(doors, path), release: [releaseStep(doors, path)], ignored };
  return into === undefined ? plan : { ...plan, intoCgroup: into.directory };
}

/** How a process gets into one cgroup. */
interface Door {
  readonly cgroup: Cgroup;
  readonly name: string;
  readonly enter: 'clone' | 'write';
  /** Open for v2 only. */
  readonly directory: Slot;
  readonly procs: Slot;
}

interface Context {
  readonly layout: CgroupLayout;
  readonly path: CgroupPath;
  readonly options: CgroupOptions;
  readonly known: KnownFiles;
  readonly limits: readonly PlacedLimit[];
}

/** The directories of one hierarchy, and what a child would otherwise lack: controllers (v2), CPUs (v1). */
function makeSteps(door: Door, context: Context): Step[] {
  const { cgroup, name } = door;
  const { path, options, known } = context;
  const cpuset =
    cgroup.version === 1 && cgroup.controllers.includes('cpuset')
      ? planCpuset(cgroup.base, cgroup.parents, known)
      : undefined;
  const steps: Step[] = [];
  for (const { from, to } of cpuset?.fill ?? []) {
    steps.push(
      step(
        'parent',
        'cgroup-cpuset',
        `give ${to} the CPUs of ${from}`,
        path.provenance,
        copyCpuset(from, to),
      ),
    );
  }
  if (cpuset?.clone !== undefined) {
    steps.push(
      step(
        'parent',
        'cgroup-cpuset',
        `let ${cpuset.clone} pass on its CPUs`,
        path.provenance,
        cloneChildren(cpuset.clone),
      ),
    );
  }
  const threaded = threadedIn(cgroup, context);
  if (cgroup.version === 2) steps.push(...handDown(cgroup, threaded, context));
  const tolerate = options.leaf === 'empty' ? { tolerate: [ERRNO.EEXIST] } : {};
  steps.push(
    step(
      'parent',
      'cgroup-create',
      `create cgroup ${cgroup.directory} (${name})`,
      path.provenance,
      [mkdirat(AT_FDCWD, cgroup.directory, 0o755, tolerate)],
      [removal(cgroup.directory)],
    ),
  );
  if (cpuset?.filled === false) steps.push(...fillLeaf(cgroup, context));
  if (threaded.has(cgroup.directory)) steps.push(threadedStep(cgroup.directory, path.provenance));
  return steps;
}

/** The controllers on v2 that limits are asked for. */
function neededControllers({ limits }: Context): ReadonlySet<Bytes> {
  return new Set(
    limits.flatMap(({ limit, cgroup }) => (cgroup.version === 2 ? [controllerOf(limit.file)] : [])),
  );
}

function threadedIn(cgroup: Cgroup, context: Context): ReadonlySet<Bytes> {
  if (cgroup.version === 1) return new Set();
  return threadedDirectories(cgroup, neededControllers(context), context.known);
}

/** What the ancestors on v2 have to do, so that the cgroup gets its controllers. */
function handDown(cgroup: Cgroup, threaded: ReadonlySet<Bytes>, context: Context): Step[] {
  const { layout, path, known } = context;
  const wanted = controllersFor(cgroup, layout.mode, neededControllers(context));
  return [cgroup.base, ...cgroup.parents].flatMap((directory) => [
    ...(threaded.has(directory) ? [threadedStep(directory, path.provenance)] : []),
    ...enableStep(directory, wanted, path.provenance, known, threaded.has(directory)),
  ]);
}

/** The lists that the configuration does not set come from the parent. */
function fillLeaf(cgroup: Cgroup, { path, limits }: Context): Step[] {
  const files = CPUSET_FILES.filter((file) => !limits.some(({ limit }) => limit.file === file));
  if (files.length === 0) return [];
  const from = cgroup.parents.at(-1) ?? cgroup.base;
  const title = `give ${cgroup.directory} the CPUs of ${from}`;
  return [step('parent', 'cgroup-cpuset', title, path.provenance, copyCpuset(from, cgroup.directory, files))];
}

function parentsStep(doors: readonly Door[], { path, options }: Context): Step[] {
  const parents = doors.flatMap(({ cgroup }) => cgroup.parents);
  if (parents.length === 0) return [];
  const calls = parents.map((directory) => mkdirat(AT_FDCWD, directory, 0o755, { tolerate: [ERRNO.EEXIST] }));
  const made = parents.filter((directory) => options.absent?.has(directory) === true);
  const undo = made.length === 0 ? undefined : made.reverse().map(removal);
  const name = path.components.slice(0, -1).join('/');
  return [
    step('parent', 'cgroup-parents', `create the cgroups above (${name})`, path.provenance, calls, undo),
  ];
}

/** A cgroup that has processes again, or children of another container, stays. */
function removal(directory: Bytes): Call {
  return unlinkat(AT_FDCWD, directory, AT_REMOVEDIR, {
    tolerate: [ERRNO.ENOENT, ERRNO.EBUSY, ERRNO.ENOTEMPTY],
  });
}

function openStep(doors: readonly Door[], { path, options }: Context): Step {
  // A new cgroup is frozen only through an ancestor, and those of the default path are caisson's own.
  const suspect = options.leaf === 'empty' || !path.provenance.startsWith('default:');
  const calls = doors.flatMap((door): Call[] => {
    const { cgroup, directory, procs, enter } = door;
    const check = options.leaf === 'empty';
    const opened: Call[] = [];
    if (cgroup.version === 2) {
      opened.push(openat(AT_FDCWD, cgroup.directory, O_RDONLY | O_CLOEXEC, 0, { result: directory }));
    }
    if (enter === 'write') {
      const mode = check && cgroup.version === 1 ? O_RDWR : O_WRONLY;
      opened.push(
        openat(AT_FDCWD, `${cgroup.directory}/${joinFile(cgroup)}`, mode | O_CLOEXEC, 0, { result: procs }),
      );
    }
    return [
      ...opened,
      ...(check ? emptyCheck(cgroup, procs) : []),
      ...(suspect ? thawedCheck(cgroup, check) : []),
    ];
  });
  return step('parent', 'cgroup-open', 'open the cgroups to join', path.provenance, calls);
}

function joinSteps(doors: readonly Door[], path: CgroupPath): Step[] {
  const calls = doors.filter(({ enter }) => enter === 'write').map(({ procs }) => write(procs, '0'));
  return calls.length === 0 ? [] : [step('child', 'cgroup-join', 'join the cgroups', path.provenance, calls)];
}

function releaseStep(doors: readonly Door[], path: CgroupPath): Step {
  const calls = doors.flatMap(({ cgroup, enter, directory, procs }) => [
    ...(cgroup.version === 2 ? [close(directory)] : []),
    ...(enter === 'write' ? [close(procs)] : []),
  ]);
  return step('parent', 'cgroup-release', 'close the cgroups', path.provenance, calls);
}

function deviceSteps(resources: LinuxResources, doors: readonly Door[], options: CgroupOptions): Step[] {
  const rules = resources.devices ?? [];
  if (rules.length === 0 || options.devices === 'skip') return [];
  const provenance = rules.map(
    (_, index) => options.deviceProvenance?.[index] ?? `/linux/resources/devices/${index}`,
  );
  const v1 = doors.find(({ cgroup }) => cgroup.version === 1 && cgroup.controllers.includes('devices'));
  if (v1 !== undefined) return deviceStepsV1(v1.cgroup.directory, rules, provenance);
  const v2 = doors.find(({ cgroup }) => cgroup.version === 2);
  if (v2 !== undefined) return deviceStepsV2(v2.directory, deviceProgram(rules, { provenance }), provenance);
  throw unsupported(
    'devices need the cgroup controller devices, which no hierarchy of this host offers',
    '/linux/resources/devices',
  );
}

function ownerSteps({ cgroup, directory }: Door, { owner }: CgroupOptions): Step[] {
  if (owner === undefined || cgroup.version === 1) return [];
  const { uid, gid } = owner;
  const files = (owner.files ?? DELEGATED).filter((file) => !file.includes('/'));
  return [
    step('parent', 'cgroup-owner', `give ${cgroup.directory} to user ${uid}`, '/mounts', [
      fchownat(AT_FDCWD, cgroup.directory, uid, gid, 0),
      ...files.map((file) => fchownat(directory, file, uid, gid, 0, { tolerate: [ERRNO.ENOENT] })),
    ]),
  ];
}

function controllerOf(file: Bytes): Bytes {
  return file.slice(0, file.indexOf('.'));
}
