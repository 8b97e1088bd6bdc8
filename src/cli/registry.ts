// All commands: names, summaries, and where each one is loaded from when it is used.

import { boolean, type Flag, value } from '../frontends/flag.ts';
import type { Catalogue, CommandGroup, RootEntry } from './command.ts';
import { CONTAINER, CONTAINER_COMMANDS, EVENTS } from './container-registry.ts';
import { BUILDER, IMAGE, IMAGE_COMMANDS, MANIFEST, SYSTEM_COMMANDS } from './image-registry.ts';
import { OCI } from './oci.ts';
import { VOLUME } from './volume-registry.ts';

/** What caisson is, in one line. */
const SUMMARY = 'A container engine: a container is a printable plan of system calls';

/** The options before the command. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  value('data-root', 'Directory of images and containers', { takes: 'DIR', completes: 'directory' }),
  value('runtime-root', 'Directory of the state of running containers', {
    takes: 'DIR',
    completes: 'directory',
  }),
  boolean('debug', 'Show the program stack of an error', { short: 'D' }),
  value('log-level', 'Set the logging level', {
    short: 'l',
    fallback: 'info',
    completes: ['debug', 'info', 'warn', 'error', 'fatal'],
  }),
  boolean('version', 'Print version information and quit', { short: 'v' }),
];

const CGROUP: CommandGroup = {
  name: 'cgroup',
  summary: 'See and change which cgroups a process is in',
  flags: [],
  commands: [
    {
      name: 'cgroup ls',
      summary: 'List cgroups with their processes and limits',
      load: () => import('./commands/cgroup-ls.ts'),
    },
    {
      name: 'cgroup move',
      summary: 'Move a process into a cgroup',
      load: () => import('./commands/cgroup-move.ts'),
    },
    {
      name: 'cgroup inspect',
      summary: 'Show the cgroups of a process or container, and which limit binds',
      load: () => import('./commands/cgroup-inspect.ts'),
    },
  ],
};

const SYSTEM: CommandGroup = {
  name: 'system',
  summary: 'Manage caisson',
  flags: [],
  commands: [
    ...SYSTEM_COMMANDS,
    {
      ...EVENTS,
      name: 'system events',
      load: async () => ({ command: { ...(await EVENTS.load()).command, name: 'system events' } }),
    },
    {
      name: 'system capacity',
      summary: 'Show CPU units and memory: how much there is, what is reserved, and who holds it',
      load: () => import('./commands/system-capacity.ts'),
    },
    {
      name: 'system repair',
      summary: 'Take away what interrupted runs have left',
      load: () => import('./commands/system-repair.ts'),
    },
    {
      name: 'system restore',
      summary: 'After the machine has started, start containers whose restart policy says so',
      load: () => import('./commands/system-restore.ts'),
    },
    {
      name: 'system event',
      summary: 'What the monitor of a container runs at an event',
      load: () => import('./commands/system-event.ts'),
    },
  ],
};

/** The commands in the order of the help. */
export const COMMANDS: readonly RootEntry[] = [
  {
    name: 'run',
    summary: 'Create and run a new container from an image',
    load: () => import('./commands/run.ts'),
  },
  ...CONTAINER_COMMANDS,
  EVENTS,
  ...IMAGE_COMMANDS,
  {
    name: 'plan',
    summary: 'Show every step of a start, and start nothing',
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'doctor',
    summary: 'Show what this host can and cannot do',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'version',
    summary: 'Show the caisson version information',
    load: () => import('./commands/version.ts'),
  },
  {
    name: 'completion',
    summary: 'Generate the autocompletion script for a shell',
    load: () => import('./commands/completion.ts'),
  },
  {
    name: 'manual',
    summary: 'Write the manual pages into a directory',
    hidden: true,
    load: () => import('./commands/manual.ts'),
  },
  { name: 'help', summary: 'Show help for a command', load: () => import('./commands/help.ts') },
  { name: 'builder', summary: BUILDER.summary, group: BUILDER },
  { name: 'cgroup', summary: CGROUP.summary, group: CGROUP },
  { name: 'container', summary: CONTAINER.summary, group: CONTAINER },
  { name: 'image', summary: IMAGE.summary, group: IMAGE },
  { name: 'manifest', summary: MANIFEST.summary, group: MANIFEST },
  { name: 'oci', summary: OCI.summary, group: OCI },
  { name: 'system', summary: SYSTEM.summary, group: SYSTEM },
  { name: 'volume', summary: VOLUME.summary, group: VOLUME },
];

/** Everything that the command line has. */
export const CATALOGUE: Catalogue = { summary: SUMMARY, flags: GLOBAL_FLAGS, entries: COMMANDS };

/** docker's commands that a later issue brings: refused by name. */
export const LATER_COMMANDS: ReadonlyMap<string, string> = new Map([
  ...names('networks (issue 6)', 'network port'),
  ...names('the other front ends (issue 7)', 'xray jail lxc ecs convert'),
]);

function names(issue: string, list: string): [string, string][] {
  return list.split(' ').map((name) => [name, issue]);
}
