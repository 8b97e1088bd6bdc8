// Parses /proc/PID/status and /proc/PID/stat (proc_pid_status(5), proc_pid_stat(5)).
import type { Bytes } from './bytes.ts';

/** What caisson asks of a process; ids are in the order real, effective, saved, file system. */
export interface ProcessStatus {
  readonly name: Bytes;
  /** One letter: R running, S sleeping, D uninterruptible, T stopped, t traced, Z zombie, X dead, I idle. */
  readonly state: string;
  readonly pid: number;
  readonly parent: number;
  /** The process that traces it, 0 for none. */
  readonly tracer: number;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  /** Its process id in each pid namespace from the reader's inwards; the last is its own view. */
  readonly namespacePids: readonly number[];
  readonly threads: number;
  readonly capabilities: {
    readonly inheritable: bigint;
    readonly permitted: bigint;
    readonly effective: bigint;
    readonly bounding: bigint;
    readonly ambient: bigint;
  };
  readonly noNewPrivs: boolean;
  /** 0 off, 1 strict, 2 filter. */
  readonly seccomp: number;
}

/** The value of one line of a status file (`Key:\tvalue`), undefined when the kernel does not print it. */
export function statusField(text: Bytes, key: string): Bytes | undefined {
  const start = text.startsWith(`${key}:`) ? 0 : text.indexOf(`\n${key}:`) + 1;
  if (start === 0 && !text.startsWith(`${key}:`)) return undefined;
  const end = text.indexOf('\n', start);
  return text.slice(start + key.length + 1, end < 0 ? text.length : end).trim();
}

/** Parses /proc/PID/status. Fields that an old kernel lacks are zero or empty. */
export function parseProcessStatus(text: Bytes): ProcessStatus {
  const field = (key: string): Bytes => statusField(text, key) ?? '';
  const numbers = (key: string): number[] => (field(key) === '' ? [] : field(key).split(/\s+/).map(Number));
  const mask = (key: string): bigint => BigInt(`0x${field(key) || '0'}`);
  return {
    name: unescapeName(field('Name')),
    state: field('State').slice(0, 1),
    pid: Number(field('Pid')),
    parent: Number(field('PPid')),
    tracer: Number(field('TracerPid')),
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    namespacePids: numbers('NSpid'),
    threads: Number(field('Threads')),
    capabilities: {
      inheritable: mask('CapInh'),
      permitted: mask('CapPrm'),
      effective: mask('CapEff'),
      bounding: mask('CapBnd'),
      ambient: mask('CapAmb'),
    },
    noNewPrivs: field('NoNewPrivs') === '1',
    seccomp: Number(field('Seccomp')),
  };
}

/** Names are escaped so that a newline in one cannot forge a field (proc_task_name in fs/proc/array.c). */
function unescapeName(name: Bytes): Bytes {
  return name.replace(/\\(n|\\)/g, (_, letter: string) => (letter === 'n' ? '\n' : '\\'));
}

/** What identifies a process across the reuse of its number. */
export interface ProcessStat {
  readonly pid: number;
  /** At most 15 bytes, and any bytes: spaces and parentheses too. */
  readonly name: Bytes;
  readonly state: string;
  readonly parent: number;
  readonly processGroup: number;
  readonly session: number;
  /** Clock ticks (sysconf(_SC_CLK_TCK), 100 a second) since boot, field 22. */
  readonly startTime: number;
}

/** Parses /proc/PID/stat. Throws SyntaxError on another format. */
export function parseProcessStat(text: Bytes): ProcessStat {
  const open = text.indexOf(' (');
  // The name may contain ") ", nothing after it does: the last one ends it.
  const close = text.lastIndexOf(') ');
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ');
  if (open < 1 || close < open || fields.length < 20) throw new SyntaxError('not a /proc/PID/stat file');
  return {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 2, close),
    state: fields[0] as string,
    parent: Number(fields[1]),
    processGroup: Number(fields[2]),
    session: Number(fields[3]),
    startTime: Number(fields[19]),
  };
}
