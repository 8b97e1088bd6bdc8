// `caisson container prune`.
import { type PrunedContainers, pruneContainers } from '../../engine/containers/prune.ts';
import { boolean, list } from '../../frontends/flag.ts';
import { type Command, flagList, flagOn } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';
import { humanSize } from '../human.ts';
import { ending } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';

const WARNING = 'WARNING! This will remove all stopped containers.';

export const command: Command = {
  name: 'container prune',
  summary: 'Remove all stopped containers',
  usage: '[OPTIONS]',
  flags: [
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    if (!flagOn(parsed, 'force') && !(await confirmed(context, WARNING))) return;
    const engine = await containerEngine(context);
    const pruned = await pruneContainers(engine, flagList(parsed, 'filter'));
    printPrunedContainers(context, pruned);
    context.out(`Total reclaimed space: ${humanSize(pruned.reclaimed)}`);
  }),
};

/** docker's list of what is gone; nothing where there is none. */
export function printPrunedContainers(context: Context, { deleted }: PrunedContainers): void {
  if (deleted.length > 0) context.out(`Deleted Containers:\n${deleted.join('\n')}\n`);
}
