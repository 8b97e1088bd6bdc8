// The columns of ps(1) that `top` knows, by their names there and in podman-top(1).
import type { Bytes } from '../../linux/bytes.ts';
import { type ProcessFacts, type ProcessSurroundings, TICKS } from './process-row.ts';

/** A column: its head, and what stands in it. */
export interface ProcessColumn {
  readonly head: Bytes;
  readonly show: (process: ProcessFacts, around: ProcessSurroundings) => Bytes;
}

type Show = ProcessColumn['show'];

const column = (head: Bytes, show: Show): ProcessColumn => ({ head, show });
const number =
  (of: (process: ProcessFacts) => number): Show =>
  (process) =>
    String(of(process));

/** Seconds that a process has lived; at least a hundredth, so that it can be divided by. */
function age({ startTime }: ProcessFacts, { uptime }: ProcessSurroundings): number {
  return Math.max(uptime - startTime / TICKS, 0.01);
}

function cpuShare(process: ProcessFacts, around: ProcessSurroundings): number {
  return (100 * process.cpuTime) / TICKS / age(process, around);
}

/** A name of more than eight characters is cut, as ps(1) does since procps-ng 4. */
function nameOf(names: ReadonlyMap<number, Bytes>, id: number): Bytes {
  const name = names.get(id) ?? String(id);
  return name.length > 8 ? `${name.slice(0, 7)}+` : name;
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');

/** `[days-]hours:minutes:seconds`. */
function clock(seconds: number): Bytes {
  const days = Math.floor(seconds / 86_400);
  const rest = `${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days > 0 ? `${days}-${rest}` : rest;
}

/** `[[days-]hours:]minutes:seconds`. */
function elapsed(seconds: number): Bytes {
  const text = clock(seconds);
  return text.startsWith('00:') ? text.slice(3) : text;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** When it began: the time of today, the day of this year, or the year (procps, pr_stime). */
function startedAt(process: ProcessFacts, around: ProcessSurroundings): Bytes {
  const [then, now] = [new Date(around.now - 1000 * age(process, around)), new Date(around.now)];
  if (then.getFullYear() !== now.getFullYear()) return String(then.getFullYear());
  if (then.toDateString() !== now.toDateString()) return `${MONTHS[then.getMonth()]}${two(then.getDate())}`;
  return `${two(then.getHours())}:${two(then.getMinutes())}`;
}

/** Majors of terminals (Documentation/admin-guide/devices.txt): 4 virtual and serial ones, 136 to 143 of devpts. */
function terminalName({ terminal }: ProcessFacts): Bytes {
  const [major, minor] = [(terminal >> 8) & 0xfff, (terminal & 0xff) | ((terminal >> 12) & 0xfff00)];
  if (major >= 136 && major <= 143) return `pts/${minor + 256 * (major - 136)}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return '?';
}

/** Letters behind the state (ps(1), PROCESS STATE CODES). */
function stateText(process: ProcessFacts): Bytes {
  const { status, nice, pid, session, group, foregroundGroup, locked } = process;
  const high = nice < 0 ? '<' : nice > 0 ? 'N' : '';
  const foreground = foregroundGroup === group && foregroundGroup > 0;
  return [
    status.state,
    high,
    locked ? 'L' : '',
    session === pid ? 's' : '',
    status.threads > 1 ? 'l' : '',
    foreground ? '+' : '',
  ].join('');
}

const user: Show = ({ status }, { users }) => nameOf(users, status.uids[1] ?? 0);
const group: Show = ({ status }, { groups }) => nameOf(groups, status.gids[1] ?? 0);
const cpu: Show = (process, around) => cpuShare(process, around).toFixed(1);
const memory: Show = ({ resident }, around) => ((100 * resident) / Math.max(around.memory, 1)).toFixed(1);
const kilobytes = (of: (process: ProcessFacts) => number): Show =>
  number((process) => Math.floor(of(process) / 1024));
const time: Show = ({ cpuTime }) => clock(cpuTime / TICKS);
const args: Show = (process) => process.args;

/** Those of `ps -ef`, docker's default; UID is a name there. */
export const FULL: readonly ProcessColumn[] = [
  column('UID', user),
  column(
    'PID',
    number(({ pid }) => pid),
  ),
  column(
    'PPID',
    number(({ parent }) => parent),
  ),
  column('C', (process, around) => String(Math.min(99, Math.floor(cpuShare(process, around))))),
  column('STIME', startedAt),
  column('TTY', terminalName),
  column('TIME', time),
  column('CMD', args),
];

/** Those of `ps aux`. */
export const BSD: readonly ProcessColumn[] = [
  column('USER', user),
  column(
    'PID',
    number(({ pid }) => pid),
  ),
  column('%CPU', cpu),
  column('%MEM', memory),
  column(
    'VSZ',
    kilobytes(({ virtual }) => virtual),
  ),
  column(
    'RSS',
    kilobytes(({ resident }) => resident),
  ),
  column('TTY', terminalName),
  column('STAT', stateText),
  column('START', startedAt),
  column('TIME', ({ cpuTime }) => `${Math.floor(cpuTime / TICKS / 60)}:${two((cpuTime / TICKS) % 60)}`),
  column('COMMAND', args),
];

const SPECIFIERS: readonly (readonly [names: Bytes, column: ProcessColumn])[] = [
  [
    'pid tgid',
    column(
      'PID',
      number(({ pid }) => pid),
    ),
  ],
  [
    'ppid',
    column(
      'PPID',
      number(({ parent }) => parent),
    ),
  ],
  [
    'pgid pgrp',
    column(
      'PGID',
      number((process) => process.group),
    ),
  ],
  [
    'sid sess session',
    column(
      'SID',
      number(({ session }) => session),
    ),
  ],
  ['user euser uname', column('USER', user)],
  ['ruser', column('RUSER', ({ status }, { users }) => nameOf(users, status.uids[0] ?? 0))],
  [
    'uid euid',
    column(
      'UID',
      number(({ status }) => status.uids[1] ?? 0),
    ),
  ],
  [
    'ruid',
    column(
      'RUID',
      number(({ status }) => status.uids[0] ?? 0),
    ),
  ],
  ['group egroup', column('GROUP', group)],
  ['rgroup', column('RGROUP', ({ status }, { groups }) => nameOf(groups, status.gids[0] ?? 0))],
  [
    'gid egid',
    column(
      'GID',
      number(({ status }) => status.gids[1] ?? 0),
    ),
  ],
  ['comm ucmd ucomm', column('COMMAND', ({ command }) => command)],
  ['args cmd command', column('COMMAND', args)],
  ['c', column('C', (process, around) => String(Math.min(99, Math.floor(cpuShare(process, around)))))],
  ['pcpu %cpu', column('%CPU', cpu)],
  ['pmem %mem', column('%MEM', memory)],
  [
    'vsz vsize',
    column(
      'VSZ',
      kilobytes(({ virtual }) => virtual),
    ),
  ],
  [
    'rss rssize rsz',
    column(
      'RSS',
      kilobytes(({ resident }) => resident),
    ),
  ],
  ['tty tt tname', column('TTY', terminalName)],
  ['stat', column('STAT', stateText)],
  ['s state', column('S', ({ status }) => status.state)],
  ['stime start start_time bsdstart', column('STIME', startedAt)],
  ['time cputime', column('TIME', time)],
  ['etime', column('ELAPSED', (process, around) => elapsed(age(process, around)))],
  ['etimes', column('ELAPSED', (process, around) => String(Math.floor(age(process, around))))],
  [
    'ni nice',
    column(
      'NI',
      number(({ nice }) => nice),
    ),
  ],
  [
    'pri',
    column(
      'PRI',
      number(({ priority }) => 39 - priority),
    ),
  ],
  [
    'nlwp thcount',
    column(
      'NLWP',
      number(({ status }) => status.threads),
    ),
  ],
  [
    'psr',
    column(
      'PSR',
      number(({ processor }) => processor),
    ),
  ],
];

/** By the names of `ps -o`. */
export const BY_SPECIFIER: ReadonlyMap<Bytes, ProcessColumn> = new Map(
  SPECIFIERS.flatMap(([names, each]) => names.split(' ').map((name) => [name, each] as const)),
);

const inner = (ids: readonly number[]): Bytes => String(ids.at(-1) ?? 0);
const hexadecimal = (mask: bigint): Bytes => mask.toString(16).padStart(16, '0');

/** By the names of podman-top(1), where these mean something else: ids there are the container's own. */
export const BY_DESCRIPTOR: ReadonlyMap<Bytes, ProcessColumn> = new Map([
  ...BY_SPECIFIER,
  ['pid', column('PID', ({ status }) => inner(status.namespacePids))],
  [
    'hpid',
    column(
      'HPID',
      number(({ pid }) => pid),
    ),
  ],
  ['huser', column('HUSER', user)],
  ['hgroup', column('HGROUP', group)],
  ['capbnd', column('BOUNDING CAPS', ({ status }) => hexadecimal(status.capabilities.bounding))],
  ['capeff', column('EFFECTIVE CAPS', ({ status }) => hexadecimal(status.capabilities.effective))],
  ['capinh', column('INHERITED CAPS', ({ status }) => hexadecimal(status.capabilities.inheritable))],
  ['capprm', column('PERMITTED CAPS', ({ status }) => hexadecimal(status.capabilities.permitted))],
  [
    'seccomp',
    column(
      'SECCOMP',
      ({ status }) => ['disabled', 'strict', 'filter'][status.seccomp] ?? String(status.seccomp),
    ),
  ],
] as const);
