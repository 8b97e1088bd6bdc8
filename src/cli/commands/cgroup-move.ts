// `caisson cgroup move`.

import { parseInteger } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { usageError } from '../grammar.ts';

export const command: Command = {
  name: 'cgroup move',
  summary: 'Move a process into a cgroup',
  usage: 'PID CGROUP|CONTAINER',
  description:
    'CGROUP is a path below the root of the hierarchies, as /proc/PID/cgroup prints it. On cgroup v1 the process\n' +
    'moves in every hierarchy in which the path exists; on v2 a process is in exactly one cgroup.',
  examples: ['caisson cgroup move 4711 /caisson/slow'],
  flags: [],
  arguments: [2, 2],
  run: async ({ positionals }, context) => {
    const [pid, target] = positionals as [Bytes, Bytes];
    context.out(
      (await (await context.engine()).cgroupMove(parsePid(pid), target, context)).replace(/\n$/, ''),
    );
    return 0;
  },
};

/** A process id. Throws CaissonError `EUSAGE`; PID_MAX_LIMIT of proc_sys_kernel(5) is 2^22. */
function parsePid(text: Bytes): number {
  const pid = parseInteger(text, 1n, 1n << 22n);
  if (pid === undefined) throw usageError('cgroup move', `${text} is not a process id`);
  return Number(pid);
}
