// What --debug tells of a start, stage by stage, with runc's words for each: people search their logs for those.

import type { Log } from './log.ts';

const START: readonly string[] = [
  'the launcher is a sealed copy in memory (in runc: runc exeseal: using /proc/self/exe clone)',
  'namespaces and cgroups are made (in runc: nsexec container setup)',
  'the root is built and entered, privileges are given up (in runc: child process in init())',
];

/** `end` is the last stage. */
export function logStages(log: Log, end: 'create' | 'exec'): void {
  const last =
    end === 'exec'
      ? 'the program is executed (in runc: setns_init: about to exec)'
      : 'the container is there (in runc: init: closing the pipe to signal completion)';
  for (const stage of [...START, last]) log.debug(stage);
}
