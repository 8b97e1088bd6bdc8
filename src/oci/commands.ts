// The commands of the OCI runtime, in the order of runc's help, and its global options.

import { boolean, type Flag, value } from '../frontends/flag.ts';
import type { OciEntry } from './command.ts';

export const GLOBAL_FLAGS: readonly Flag[] = [
  boolean('debug', 'Log what is done, too'),
  value('log', 'Add errors to this file, too', { takes: 'FILE', completes: 'file' }),
  value('log-format', "Format of log lines: 'text' or 'json'", {
    takes: 'FORMAT',
    fallback: 'text',
    completes: ['text', 'json'],
  }),
  value('root', 'Directory of the state of containers, best in a tmpfs', {
    takes: 'DIR',
    completes: 'directory',
  }),
  boolean('systemd-cgroup', 'Let systemd make the cgroups', { later: 'a later issue' }),
  value('rootless', "Go on without cgroups that may not be made: 'true', 'false' or 'auto'", {
    takes: 'WHEN',
    fallback: 'auto',
    completes: ['true', 'false', 'auto'],
  }),
  value('criu', 'Ignored, as in newer runc', { takes: 'PATH', completes: 'file' }),
  value('cgroup-manager', "crun's option: only 'cgroupfs' so far", {
    takes: 'NAME',
    fallback: 'cgroupfs',
    completes: ['cgroupfs'],
  }),
  value('log-level', "crun's option: 'debug', 'warning' or 'error'", {
    takes: 'LEVEL',
    completes: ['debug', 'warning', 'error'],
  }),
  boolean('version', 'Print the version', { short: 'v' }),
];

/** Each is loaded when it is called. */
export const COMMANDS: readonly OciEntry[] = [
  {
    name: 'create',
    summary: 'Create a container',
    load: () => import('./commands/create.ts'),
  },
  {
    name: 'delete',
    summary: 'Delete what a container has left',
    load: () => import('./commands/delete.ts'),
  },
  {
    name: 'events',
    summary: 'Show statistics of a container, and when it is out of memory',
    load: () => import('./commands/events.ts'),
  },
  {
    name: 'exec',
    summary: 'Run another process inside a container',
    load: () => import('./commands/exec.ts'),
  },
  {
    name: 'features',
    summary: 'Show what this runtime can do',
    load: () => import('./commands/features.ts'),
  },
  {
    name: 'kill',
    summary: "Send a signal to the container's first process",
    load: () => import('./commands/kill.ts'),
  },
  {
    name: 'list',
    summary: 'List the containers of a state directory',
    load: () => import('./commands/list.ts'),
  },
  {
    name: 'pause',
    summary: 'Suspend all processes of a container',
    load: () => import('./commands/pause.ts'),
  },
  {
    name: 'ps',
    summary: 'List the processes of a container',
    load: () => import('./commands/ps.ts'),
  },
  {
    name: 'resume',
    summary: 'Let the processes of a suspended container go on',
    load: () => import('./commands/resume.ts'),
  },
  {
    name: 'run',
    summary: 'Create and run a container',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'spec',
    summary: 'Create a new specification file',
    load: () => import('./commands/spec.ts'),
  },
  {
    name: 'start',
    summary: 'Start the program of a created container',
    load: () => import('./commands/start.ts'),
  },
  {
    name: 'state',
    summary: 'Show the state of a container',
    load: () => import('./commands/state.ts'),
  },
  {
    name: 'update',
    summary: 'Change the resource limits of a container',
    load: () => import('./commands/update.ts'),
  },
];

/** Commands of runc that are refused by name. */
export const LATER_COMMANDS: readonly string[] = ['checkpoint', 'restore'];
