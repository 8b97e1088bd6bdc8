// `caisson top`.
import { containerProcessList } from '../../engine/containers/top.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { ending } from '../image-shop.ts';

/** docker's table: cells are twenty wide at least, three spaces apart. */
const LEAST = 20;
const APART = 3;

export const command: Command = {
  name: 'top',
  summary: 'Display the running processes of a container',
  usage: 'CONTAINER [ps OPTIONS]',
  description:
    'The processes are read from /proc: no program of the container runs. OPTIONS are -ef, aux, -o with names of\n' +
    "columns, or podman's descriptors (pid, hpid, user, args, capeff, seccomp, ...).",
  examples: ['caisson top web', 'caisson top web -o pid,rss,args', 'caisson top web hpid pid user seccomp'],
  flags: [],
  arguments: [1, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  run: ending(async (parsed, context) => {
    const engine = await containerEngine(context);
    const [name, ...options] = parsed.positionals as [Bytes, ...Bytes[]];
    const { titles, processes } = containerProcessList(engine, name, options);
    context.port.write(1, table([titles, ...processes]));
  }),
};

function table(rows: readonly (readonly Bytes[])[]): Bytes {
  const last = (rows[0]?.length ?? 1) - 1;
  const widths = Array.from({ length: last }, (_, at) =>
    Math.max(LEAST, ...rows.map((row) => (row[at]?.length ?? 0) + APART)),
  );
  return rows
    .map((row) => `${row.map((cell, at) => (at < last ? cell.padEnd(widths[at] ?? 0) : cell)).join('')}\n`)
    .join('');
}
