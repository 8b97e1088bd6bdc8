// What this host has for containers to reserve: what caisson itself may use of processors and memory.
import type { Port } from '../../host/port.ts';
import { parseCpuList } from '../../linux/cpulist.ts';
import { UNITS_PER_CPU } from '../../spec/reservation.ts';
import { inspectProcess } from '../cgroup-inspect.ts';
import type { Total } from './capacity.ts';

/**
 * Processors: those of its affinity, which its cpuset bounds (/proc/self/status, proc_pid_status(5)), and no more than its
 * cgroups have time for. Memory: the machine's, or the tightest limit of its cgroups.
 */
export function hostTotal(port: Port): Total {
  const limits = new Map(
    inspectProcess(port, port.pid).limits.map(({ quantity, value }) => [quantity, value]),
  );
  const status = port.readFile('/proc/self/status') ?? '';
  const allowed = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0').length;
  const cpus = Math.min(allowed, Number(limits.get('cpu') ?? allowed));
  const kilobytes = /^MemTotal:\s*([0-9]+) kB/m.exec(port.readFile('/proc/meminfo') ?? '')?.[1];
  const machine = Number(kilobytes ?? 0) * 1024;
  return {
    cpus,
    cpuUnits: Math.floor(cpus * UNITS_PER_CPU),
    memory: Math.min(machine, Number(limits.get('memory') ?? machine)),
  };
}
