// Limits, user, capabilities and the program as shell commands: prlimit, ionice and capsh.
import type { Bytes } from '../../linux/bytes.ts';
import { CAPABILITIES } from '../../linux/capabilities.ts';
import { RLIM_INFINITY } from '../../linux/rlimits.ts';
import type { LinuxCapabilities, Process } from '../../spec/runtime-spec.ts';
import { relative } from '../compile/context.ts';
import { quote, words } from './quote.ts';

const IO_CLASSES = { IOPRIO_CLASS_RT: '1', IOPRIO_CLASS_BE: '2', IOPRIO_CLASS_IDLE: '3' };

/** `$$` is the process that becomes the program: exec follows. */
export function limitCommands(process: Process): Bytes[] {
  const value = (limit: number | bigint) => (BigInt(limit) === RLIM_INFINITY ? 'unlimited' : String(limit));
  const limits = (process.rlimits ?? []).map(
    ({ type, soft, hard }) =>
      `prlimit --pid $$ --${type.slice('RLIMIT_'.length).toLowerCase()}=${value(soft)}:${value(hard)}`,
  );
  const io = process.ioPriority;
  const priority = io === undefined ? [] : [`ionice -c ${IO_CLASSES[io.class]} -n ${io.priority} -p $$`];
  return [...priority, `umask ${(process.user.umask ?? 0o022).toString(8).padStart(4, '0')}`, ...limits];
}

export interface ProgramOptions {
  readonly showSecrets: boolean;
  /** Whether groups may be set: not where an unprivileged process wrote the map. */
  readonly mayCallSetgroups: boolean;
  readonly lastCapability: number;
}

/** One `exec` that changes root, user and capabilities, in the order that the kernel wants, and becomes the program. */
export function programCommand(process: Process, options: ProgramOptions): Bytes {
  const { user, capabilities = {} } = process;
  const dropped = Object.entries(CAPABILITIES)
    .filter(([name, bit]) => bit <= options.lastCapability && !(capabilities.bounding ?? []).includes(name))
    .map(([name]) => name.toLowerCase());
  const ambient = (capabilities.ambient ?? []).filter(
    (name) =>
      (capabilities.permitted ?? []).includes(name) && (capabilities.inheritable ?? []).includes(name),
  );
  const flags = [
    '--chroot=.',
    ...(dropped.length === 0 ? [] : [`--drop=${dropped.join(',')}`]),
    ...(options.mayCallSetgroups ? [`--groups=${(user.additionalGids ?? []).join(',')}`] : []),
    `--gid=${user.gid}`,
    '--keep=1',
    `--uid=${user.uid}`,
    '--keep=0',
    `--caps=${capabilityText(capabilities)}`,
    ...(ambient.length === 0 ? [] : [`--addamb=${ambient.join(',').toLowerCase()}`]),
    ...(process.noNewPrivileges ? ['--no-new-privs'] : []),
  ];
  const environment = (process.env ?? []).flatMap((entry) => environmentWord(entry, options.showSecrets));
  return `exec env -i ${[...environment, '"$capsh"', words(...flags), words(...program(process))].join(' ')}`;
}

/** Without --show-secrets the value comes from whoever runs the script; a name that is none for a shell is left out. */
function environmentWord(entry: Bytes, showSecrets: boolean): Bytes[] {
  if (!entry.includes('=') || entry.startsWith('=')) return [];
  if (showSecrets) return [quote(entry)];
  const name = entry.slice(0, entry.indexOf('='));
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? [`${name}="\${${name}-}"`] : [];
}

/** cap_from_text(3): each capability with the sets that have it. */
function capabilityText(sets: LinuxCapabilities): Bytes {
  const names = Object.keys(CAPABILITIES);
  const clauses = names.flatMap((name) => {
    const letters = (['effective', 'inheritable', 'permitted'] as const)
      .filter((set) => sets[set]?.includes(name))
      .map((set) => set[0]);
    return letters.length === 0 ? [] : [`${name.toLowerCase()}+${letters.join('')}`];
  });
  return ['=', ...clauses].join(' ');
}

/** capsh runs a program by its path from /; a directory or a search in PATH takes the container's own shell. */
function program({ args = [], cwd }: Process): Bytes[] {
  const [name = ''] = args;
  if (relative(cwd) === '' && name.includes('/')) return [`--shell=${name}`, '--', ...args.slice(1)];
  return ['--shell=/bin/sh', '--', '-c', 'cd "$1" && shift && exec "$@"', 'sh', cwd, ...args];
}
