// `caisson cgroup inspect`: which hierarchies a process is in, and which ancestor's limit is the tightest.
import {
  type EffectiveLimit,
  effectiveLimits,
  limitFiles,
  type ProcessCgroup,
  processCgroups,
} from '../cgroups/inspect.ts';
import { hierarchyName } from '../cgroups/layout.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { binarySize } from '../runtime/oom.ts';
import { CaissonError } from '../spec/error.ts';
import { stringifyJson } from '../spec/json.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { layoutOf, processOf } from './cgroup-target.ts';
import { columns } from './columns.ts';

/** A process and where it is. */
interface Inspected {
  readonly pid: number;
  readonly cgroups: readonly ProcessCgroup[];
  readonly limits: readonly EffectiveLimit[];
}

/** The cgroups of a process and the limits that hold for it. Throws CaissonError ENOTFOUND. */
export function inspectProcess(port: Port, pid: number): Inspected {
  const text = port.readFile(`/proc/${pid}/cgroup`);
  if (text === undefined) throw new CaissonError(`there is no process ${pid}`, { code: 'ENOTFOUND' });
  const cgroups = processCgroups(layoutOf(port), text);
  const contents = new Map(limitFiles(cgroups).map((file) => [file, port.readFile(file)]));
  return { pid, cgroups, limits: effectiveLimits(cgroups, contents) };
}

/**
 * Which hierarchies a process is in, or the first process of a container, and for memory, processes and CPU the
 * tightest limit with the cgroup that sets it. Throws CaissonError ENOTFOUND.
 */
export function cgroupInspect(port: Port, stateRoot: Bytes, target: Bytes, asJson: boolean): Bytes {
  const found = inspectProcess(port, processOf(port, stateRoot, target));
  return asJson ? stringifyJson(inspectedJson(found)) : inspectedText(found).join('\n');
}

function inspectedJson({ pid, cgroups, limits }: Inspected) {
  return {
    pid,
    hierarchies: cgroups.map(({ hierarchy, path, directories }) => ({
      version: hierarchy.version,
      controllers: [...hierarchy.controllers],
      mountPoint: hierarchy.mountPoint,
      path,
      directory: directories[0] ?? null,
    })),
    limits: limits.map(({ quantity, value, directory, own }) => ({
      quantity,
      value: value ?? null,
      directory: directory ?? null,
      own: own ?? null,
    })),
  };
}

function inspectedText({ pid, cgroups, limits }: Inspected): Bytes[] {
  return [
    `process ${pid} is in ${cgroups.length === 1 ? 'one hierarchy' : `${cgroups.length} hierarchies`}:`,
    ...columns(
      ['HIERARCHY', 'CGROUP', 'CONTROLLERS'],
      cgroups.map(({ hierarchy, path }) => [
        `v${hierarchy.version} ${hierarchyName(hierarchy)}`,
        path,
        offered(hierarchy),
      ]),
    ),
    '',
    'the tightest limit of the cgroup and its ancestors holds:',
    ...columns(
      ['LIMIT', 'HOLDS', 'SET BY', 'OWN'],
      limits.map((limit) => [
        limit.quantity,
        amount(limit, limit.value),
        limit.directory ?? '-',
        amount(limit, limit.own),
      ]),
    ),
  ];
}

function offered({ controllers }: { readonly controllers: readonly Bytes[] }): Bytes {
  return controllers.length === 0 ? '-' : controllers.join(',');
}

/** A limit for a person: `64 MiB`, `1.5 CPUs`, `none`. */
export function amount({ quantity }: EffectiveLimit, value: Int64 | undefined): string {
  if (value === undefined) return 'none';
  if (quantity === 'cpu') return `${Math.round(Number(value) * 1000) / 1000} CPUs`;
  return quantity === 'processes' ? String(value) : binarySize(value);
}
