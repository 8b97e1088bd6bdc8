// The commands about containers: each at the top, as docker had them first, and below `container` as well.
import type { CommandEntry, CommandGroup } from './command.ts';

/** Commands that stand at the top, too. */
const BOTH: readonly CommandEntry[] = [
  { name: 'ps', summary: 'List containers', load: () => import('./commands/ps.ts') },
  { name: 'logs', summary: 'Fetch the logs of a container', load: () => import('./commands/logs.ts') },
  {
    name: 'stats',
    summary: 'Display a live stream of container(s) resource usage statistics',
    load: () => import('./commands/stats.ts'),
  },
  {
    name: 'top',
    summary: 'Display the running processes of a container',
    load: () => import('./commands/top.ts'),
  },
  { name: 'create', summary: 'Create a new container', load: () => import('./commands/create.ts') },
  {
    name: 'start',
    summary: 'Start one or more stopped containers',
    load: () => import('./commands/start.ts'),
  },
  { name: 'stop', summary: 'Stop one or more running containers', load: () => import('./commands/stop.ts') },
  { name: 'restart', summary: 'Restart one or more containers', load: () => import('./commands/restart.ts') },
  { name: 'kill', summary: 'Kill one or more running containers', load: () => import('./commands/kill.ts') },
  {
    name: 'pause',
    summary: 'Pause all processes within one or more containers',
    load: () => import('./commands/pause.ts'),
  },
  {
    name: 'unpause',
    summary: 'Unpause all processes within one or more containers',
    load: () => import('./commands/unpause.ts'),
  },
  {
    name: 'wait',
    summary: 'Block until one or more containers stop, then print their exit codes',
    load: () => import('./commands/wait.ts'),
  },
  { name: 'rm', summary: 'Remove one or more containers', load: () => import('./commands/rm.ts') },
  {
    name: 'exec',
    summary: 'Execute a command in a running container',
    load: () => import('./commands/exec.ts'),
  },
  {
    name: 'attach',
    summary: 'Attach local standard input, output, and error streams to a running container',
    load: () => import('./commands/attach.ts'),
  },
  {
    name: 'cp',
    summary: 'Copy files/folders between a container and the local filesystem',
    load: () => import('./commands/cp.ts'),
  },
  { name: 'rename', summary: 'Rename a container', load: () => import('./commands/rename.ts') },
  {
    name: 'update',
    summary: 'Update configuration of one or more containers',
    load: () => import('./commands/update.ts'),
  },
];

export const CONTAINER_COMMANDS: readonly CommandEntry[] = BOTH;

/** Commands of other files that are about containers. */
const ELSEWHERE: readonly CommandEntry[] = [
  {
    name: 'prune',
    summary: 'Remove all stopped containers',
    load: () => import('./commands/container-prune.ts'),
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more containers',
    load: () => import('./commands/container-inspect.ts'),
  },
  {
    name: 'run',
    summary: 'Create and run a new container from an image',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'commit',
    summary: "Create a new image from a container's changes",
    load: () => import('./commands/commit.ts'),
  },
  {
    name: 'diff',
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'export',
    summary: "Export a container's filesystem as a tar archive",
    load: () => import('./commands/export.ts'),
  },
];

/** What happens to containers and images, at the top and below `system`. */
export const EVENTS: CommandEntry = {
  name: 'events',
  summary: 'Show what happens to containers and images, as it happens',
  load: () => import('./commands/events.ts'),
};

/** docker's other names of `ps`, below `container` alone. */
const ALIASES: readonly CommandEntry[] = ['ls', 'list'].map((name) => ({
  name,
  summary: 'List containers',
  hidden: name === 'list',
  load: () => import('./commands/ps.ts'),
}));

export const CONTAINER: CommandGroup = {
  name: 'container',
  summary: 'Manage containers',
  flags: [],
  commands: [...ALIASES, ...BOTH, ...ELSEWHERE].map((entry) => ({
    ...entry,
    name: `container ${entry.name}`,
    // Help and errors say how it was called.
    load: async () => ({ command: { ...(await entry.load()).command, name: `container ${entry.name}` } }),
  })),
};
