// `caisson cgroup ls`: the cgroups of caisson's containers, or all that have processes.
import { type EffectiveLimit, processCgroups } from '../cgroups/inspect.ts';
import type { CgroupLayout } from '../cgroups/layout.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { processesInside } from '../runtime/removal.ts';
import { keptRecord } from '../runtime/state.ts';
import { amount, inspectProcess } from './cgroup-inspect.ts';
import { layoutOf } from './cgroup-target.ts';
import { columns } from './columns.ts';

interface Listed {
  readonly path: Bytes;
  readonly hierarchies: readonly Bytes[];
  readonly processes: number;
}

/** Cgroups of caisson's containers, or with `all` every cgroup that has processes: one line for each path. */
export function cgroupList(port: Port, stateRoot: Bytes, all: boolean): Bytes {
  const rows = all ? listAll(port).map(listedRow) : listContainers(port, stateRoot);
  const head = all
    ? ['CGROUP', 'PROCESSES', 'HIERARCHIES']
    : ['CONTAINER', 'CGROUP', 'PROCESSES', 'MEMORY', 'PIDS', 'CPU'];
  return columns(head, rows)
    .map((line) => line.trimStart())
    .join('\n');
}

const listedRow = ({ path, processes, hierarchies }: Listed): Bytes[] => [
  path,
  String(processes),
  hierarchies.join(' '),
];

function listContainers(port: Port, stateRoot: Bytes): Bytes[][] {
  const layout = layoutOf(port);
  return [...port.list(stateRoot)].sort().flatMap((id) => {
    const record = keptRecord(port, stateRoot, id);
    if (record === undefined) return [];
    const inside = processesInside(port, record.cgroups);
    const own = limitsOf(port, inside[0]);
    const [first] = record.cgroups;
    const path = first === undefined ? '-' : pathOf(layout, first);
    return [
      [record.name ?? shortId(id), path, String(inside.length), own('memory'), own('processes'), own('cpu')],
    ];
  });
}

/** Ids that caisson makes are told apart by their beginning, as docker prints them; `cgroup inspect` takes it. */
function shortId(id: Bytes): Bytes {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id;
}

/** As /proc/PID/cgroup prints it. */
function pathOf(layout: CgroupLayout, { directory }: Cgroup): Bytes {
  const mounts = layout.hierarchies.filter(({ mountPoint }) => directory.startsWith(`${mountPoint}/`));
  return directory.slice(Math.max(0, ...mounts.map(({ mountPoint }) => mountPoint.length)));
}

function limitsOf(port: Port, pid: number | undefined): (quantity: EffectiveLimit['quantity']) => string {
  if (pid === undefined || port.readFile(`/proc/${pid}/cgroup`) === undefined) return () => '-';
  const { limits } = inspectProcess(port, pid);
  return (quantity) => {
    const limit = limits.find((one) => one.quantity === quantity);
    return limit === undefined ? '-' : amount(limit, limit.value);
  };
}

function listAll(port: Port): Listed[] {
  const layout = layoutOf(port);
  const found = new Map<Bytes, Map<Bytes, Set<number>>>();
  for (const pid of port.list('/proc').filter((name) => /^\d+$/.test(name))) {
    const text = port.readFile(`/proc/${pid}/cgroup`);
    if (text === undefined) continue;
    for (const { path, name } of processCgroups(layout, text)) {
      const hierarchies = found.get(path) ?? new Map<Bytes, Set<number>>();
      found.set(path, hierarchies);
      hierarchies.set(name, (hierarchies.get(name) ?? new Set()).add(Number(pid)));
    }
  }
  return [...found]
    .map(([path, hierarchies]) => ({
      path,
      hierarchies: [...hierarchies.keys()],
      processes: new Set([...hierarchies.values()].flatMap((pids) => [...pids])).size,
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
