// A process as ps(1) shows it, read from /proc by this program: nothing of the container runs for it (security.md T33).
import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { type ProcessStatus, parseProcessStatus } from '../../linux/proc-status.ts';

/** What proc_pid_stat(5) says beyond what caisson needs elsewhere; times in clock ticks, sizes in bytes. */
export interface ProcessFacts {
  readonly pid: number;
  readonly command: Bytes;
  readonly args: Bytes;
  readonly status: ProcessStatus;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Device number of its terminal, 0 without one. */
  readonly terminal: number;
  readonly foregroundGroup: number;
  readonly cpuTime: number;
  readonly priority: number;
  readonly nice: number;
  readonly startTime: number;
  readonly virtual: number;
  readonly resident: number;
  readonly processor: number;
  readonly locked: boolean;
}

/** What does not change while a list is made. */
export interface ProcessSurroundings {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Seconds since the boot. */
  readonly uptime: number;
  /** Bytes of memory that the machine has. */
  readonly memory: number;
  /** Names of users and groups of the host, by number. */
  readonly users: ReadonlyMap<number, Bytes>;
  readonly groups: ReadonlyMap<number, Bytes>;
}

/** sysconf(_SC_CLK_TCK) is 100 on every machine that Linux shows to programs. */
export const TICKS = 100;
const PAGE = 4096;

/** undefined for a process that has gone. */
export function readProcess(port: Port, pid: number): ProcessFacts | undefined {
  const [stat, status, cmdline] = ['stat', 'status', 'cmdline'].map((name) => readable(port, pid, name));
  if (stat === undefined || status === undefined || cmdline === undefined) return undefined;
  const close = stat.lastIndexOf(') ');
  const open = stat.indexOf(' (');
  if (open < 1 || close < open) return undefined;
  // Field 3 of proc_pid_stat(5) is the first of them.
  const fields = stat
    .slice(close + 2)
    .trim()
    .split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  const command = printable(stat.slice(open + 2, close));
  const args = printable(cmdline.replace(/\0+$/, '').replaceAll('\0', ' '));
  return {
    pid,
    command,
    args: args === '' ? `[${command}]` : args,
    status: parseProcessStatus(status),
    parent: field(4),
    group: field(5),
    session: field(6),
    terminal: field(7),
    foregroundGroup: field(8),
    cpuTime: field(14) + field(15),
    priority: field(18),
    nice: field(19),
    startTime: field(22),
    virtual: field(23),
    resident: field(24) * PAGE,
    processor: field(39),
    locked: Number(/^VmLck:\s*([0-9]+)/m.exec(status)?.[1] ?? 0) > 0,
  };
}

function readable(port: Port, pid: number, name: Bytes): Bytes | undefined {
  try {
    return port.readFile(`/proc/${pid}/${name}`);
  } catch {
    // It ends at this moment, or is another user's.
    return undefined;
  }
}

/** A program may call itself anything: nothing of it controls the terminal that it is shown on. */
export function printable(bytes: Bytes): Bytes {
  const ascii = bytes.replace(/[\x00-\x1f\x7f]/g, '?');
  if (!/[\x80-\xff]/.test(ascii)) return ascii;
  return utf8ToBytes(bytesToUtf8(ascii).replace(/[\u0080-\u009f]/g, '?'));
}

/** Reads them once for a list. */
export function surroundings(port: Port, now: number): ProcessSurroundings {
  const names = (path: Bytes): Map<number, Bytes> => {
    const found = new Map<number, Bytes>();
    for (const line of (port.readFile(path, 1 << 20) ?? '').split('\n')) {
      const [name = '', , id = ''] = line.split(':', 4);
      if (/^[0-9]{1,10}$/.test(id) && !found.has(Number(id))) found.set(Number(id), printable(name));
    }
    return found;
  };
  const total = /^MemTotal:\s*([0-9]+) kB/m.exec(port.readFile('/proc/meminfo') ?? '')?.[1];
  return {
    now,
    uptime: Number((port.readFile('/proc/uptime') ?? '').split(' ')[0]) || 0,
    memory: Number(total ?? 0) * 1024,
    users: names('/etc/passwd'),
    groups: names('/etc/group'),
  };
}
