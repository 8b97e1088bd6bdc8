// Groups of resctrl, which share out caches and memory bandwidth: made, set, and joined like cgroups.
//
// config-linux.md, IntelRdt; the kernel's Documentation/filesystems/resctrl.rst. Nothing below the file system's root
// is a link or anybody else's, so that its paths are walked by name.
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../../linux/constants/open.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { LinuxIntelRdt, Spec } from '../../spec/runtime-spec.ts';
import { type Call, slot } from '../call.ts';
import type { HostFacts } from '../facts.ts';
import { type Step, step } from '../step.ts';
import * as sys from '../syscalls.ts';
import { type Context, unsupported } from './context.ts';

const CAUSE: Pointer = '/linux/intelRdt';

/** In the order of a plan: before the fork, first thing in the child, after the fork. */
export interface ResctrlPlan {
  readonly create: readonly Step[];
  readonly join: readonly Step[];
  readonly release: readonly Step[];
}

/** `mountPoint` itself is the default class. */
export function groupOf({ closID = '' }: LinuxIntelRdt, id: Bytes, mountPoint: Bytes): Bytes {
  return closID === '/' ? mountPoint : `${mountPoint}/${closID || id}`;
}

function monitorOf(group: Bytes, id: Bytes): Bytes {
  return `${group}/mon_groups/${id}`;
}

/** The directories that a start makes for this container alone, and its deletion removes, in the order of removal. */
export function ownGroups({ linux }: Spec, { resctrl: host }: HostFacts, id: Bytes): Bytes[] {
  const rdt = linux?.intelRdt;
  if (rdt === undefined || host === undefined) return [];
  const group = groupOf(rdt, id, host.mountPoint);
  return [...(rdt.enableMonitoring ? [monitorOf(group, id)] : []), ...(rdt.closID ? [] : [group])];
}

/** Throws CaissonError where there is no resctrl, or its groups are not as the configuration needs them. */
export function resctrlGroup({ spec, facts, options: { id } }: Context): ResctrlPlan {
  const rdt = spec.linux?.intelRdt;
  const host = facts.resctrl;
  if (rdt === undefined) return { create: [], join: [], release: [] };
  if (host === undefined)
    throw unsupported(
      'intelRdt is specified in config, but Intel RDT is not enabled: no resctrl is mounted',
      CAUSE,
    );
  const { closID, l3CacheSchema, memBwSchema, schemata = [] } = rdt;
  const group = groupOf(rdt, id, host.mountPoint);
  const lines = [l3CacheSchema, memBwSchema, ...schemata].filter((line) => line);
  if (host.schemata === undefined) {
    if (closID && lines.length === 0)
      throw refused(`${group} does not exist, and no schemata say what to make it with`);
  } else if (!closID) throw refused(`${group} is somebody else's`);
  else for (const line of [l3CacheSchema, memBwSchema]) checkSame(line, host.schemata, group);
  const calls: Call[] = [];
  if (host.schemata === undefined) calls.push(sys.mkdirat(sys.AT_FDCWD, group, 0o755));
  if (lines.length > 0) calls.push(...schemataCalls(group, lines));
  if (rdt.enableMonitoring) calls.push(sys.mkdirat(sys.AT_FDCWD, monitorOf(group, id), 0o755));
  const title = `make the group ${group} (${host.mountPoint}/info/last_cmd_status says why not)`;
  const { create, ...rest } = joinGroup(rdt, group, id);
  return { create: [step('parent', 'resctrl', title, CAUSE, calls), ...create], ...rest };
}

/** All lines in one write: the kernel takes them in their order. */
export function schemataCalls(group: Bytes, lines: readonly (Bytes | undefined)[]): Call[] {
  const file = slot('schemata');
  return [
    sys.openat(sys.AT_FDCWD, `${group}/schemata`, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, lines.map((line) => `${line}\n`).join('')),
    sys.close(file),
  ];
}

/** For a process of `exec`: the group that the container's first process is in, unless somebody has removed it. */
export function resctrlJoin({ spec, facts, options: { id } }: Context): ResctrlPlan {
  const rdt = spec.linux?.intelRdt;
  const host = facts.resctrl;
  if (rdt === undefined || host?.schemata === undefined) return { create: [], join: [], release: [] };
  return joinGroup(rdt, groupOf(rdt, id, host.mountPoint), id);
}

/** A thread that writes 0 moves itself (rdtgroup_move_task of the kernel's rdtgroup.c); the child has one. */
function joinGroup({ enableMonitoring }: LinuxIntelRdt, group: Bytes, id: Bytes): ResctrlPlan {
  const groups = enableMonitoring ? [group, monitorOf(group, id)] : [group];
  const doors = groups.map((path) => ({ path, tasks: slot(`tasks of ${path}`) }));
  const open = doors.map(({ path, tasks }) =>
    sys.openat(sys.AT_FDCWD, `${path}/tasks`, O_WRONLY | O_CLOEXEC, 0, { result: tasks }),
  );
  const writes = doors.map(({ tasks }) => sys.write(tasks, '0'));
  const closes = doors.map(({ tasks }) => sys.close(tasks));
  return {
    create: [step('parent', 'resctrl-open', `open the group ${group}`, CAUSE, open)],
    join: [step('child', 'resctrl-join', `join the group ${group}`, CAUSE, writes)],
    release: [step('parent', 'resctrl-release', `close the group ${group}`, CAUSE, closes)],
  };
}

/** `L3:0=0ff;1=c0` as [`L3`, [[`0`, `ff`], [`1`, `c0`]]]: the kernel pads values, and sorts the caches. */
function parsed(line: Bytes): readonly [resource: Bytes, values: readonly (readonly [Bytes, Bytes])[]] {
  const [resource = '', values = ''] = line.trim().split(':');
  const pairs = values.split(';').map((pair): readonly [Bytes, Bytes] => {
    const [cache = '', value = ''] = pair.split('=');
    return [
      cache.trim(),
      value
        .trim()
        .toLowerCase()
        .replace(/^0+(?=.)/, ''),
    ];
  });
  return [resource, pairs];
}

function checkSame(line: Bytes | undefined, schemata: Bytes, group: Bytes): void {
  if (!line) return;
  const [resource, wanted] = parsed(line);
  const found = new Map(schemata.split('\n').map(parsed)).get(resource);
  const values = new Map(found);
  if (found === undefined || wanted.some(([cache, value]) => values.get(cache) !== value))
    throw refused(`the schemata of ${group} are not ${line}`);
}

function refused(message: string): CaissonError {
  return new CaissonError(message, { code: 'EINVALIDSPEC', provenance: [CAUSE] });
}
