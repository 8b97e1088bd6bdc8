// `caisson ps`, which is `container ls` as well.
import { containerSummaries } from '../../engine/containers/list.ts';
import type { ContainerSummary } from '../../engine/containers/summary.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagList, flagOn, flagText, type Parsed } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { type ContainerSize, containerRow } from '../container-row.ts';
import { formatList, type ListShape } from '../format.ts';
import { ending } from '../image-shop.ts';

const HEADS = {
  ID: 'CONTAINER ID',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Status: 'STATUS',
  State: 'STATE',
  Ports: 'PORTS',
  Names: 'NAMES',
  Size: 'SIZE',
  Labels: 'LABELS',
  Label: 'LABEL',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
};

function shape(size: boolean): ListShape {
  const columns = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';
  return { columns: size ? `${columns}\t{{.Size}}` : columns, heads: HEADS };
}

export const command: Command = {
  name: 'ps',
  summary: 'List containers',
  usage: '[OPTIONS]',
  description: 'Containers of `run --rm` in the foreground are among them while they run.',
  examples: [
    'caisson ps -a',
    'caisson ps --filter status=exited --filter label=job -q',
    "caisson ps --format '{{.Names}}: {{.Status}}'",
  ],
  flags: [
    boolean('all', 'Show all containers (default shows just running)', { short: 'a' }),
    list('filter', 'Filter output based on conditions provided', { short: 'f', takes: 'filter' }),
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    value('last', 'Show n last created containers (includes all states)', {
      short: 'n',
      takes: 'int',
      fallback: '-1',
    }),
    boolean('latest', 'Show the latest created container (includes all states)', { short: 'l' }),
    boolean('no-trunc', "Don't truncate output"),
    boolean('quiet', 'Only display container IDs', { short: 'q' }),
    boolean('size', 'Display total file sizes', { short: 's' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const engine = await containerEngine(context);
    const found = await containerSummaries(engine, {
      all: flagOn(parsed, 'all'),
      last: lastOf(parsed),
      filters: flagList(parsed, 'filter'),
    });
    const whole = flagOn(parsed, 'no-trunc');
    const format = flagText(parsed, 'format');
    if (flagOn(parsed, 'quiet') && (format === undefined || format === 'table')) {
      context.port.write(1, found.map(({ id }) => `${whole ? id : id.slice(0, 12)}\n`).join(''));
      return;
    }
    const withSize = flagOn(parsed, 'size') || /\.Size\b/.test(format ?? '');
    const sizes = withSize ? await sizesOf(engine, found) : undefined;
    const now = Date.now();
    const rows = found.map((each) => containerRow(each, { whole, now, ...(sizes && { sizes }) }));
    context.port.write(1, formatList(rows, shape(flagOn(parsed, 'size')), format));
  }),
};

function lastOf(parsed: Parsed): number {
  if (flagOn(parsed, 'latest')) return 1;
  const text = flagText(parsed, 'last');
  if (text === undefined) return 0;
  if (/^-?[0-9]{1,9}$/.test(text)) return Math.max(0, Number(text));
  throw new CaissonError(`invalid argument "${text}" for "-n, --last" flag: a number`, { code: 'EUSAGE' });
}

async function sizesOf(
  engine: Awaited<ReturnType<typeof containerEngine>>,
  found: readonly ContainerSummary[],
): Promise<ReadonlyMap<string, ContainerSize>> {
  const { containerSizes } = await import('../../engine/containers/size.ts');
  return await containerSizes(engine, found);
}
