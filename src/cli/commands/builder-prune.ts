// `caisson builder prune`.
import { type PrunedBuilds, pruneBuilds } from '../../engine/build/prune.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import { parseSize } from '../../frontends/number.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagList, flagOn, flagText } from '../command.ts';
import type { Context } from '../context.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';

export const command: Command = {
  name: 'builder prune',
  summary: 'Remove build cache',
  usage: '[OPTIONS]',
  description: 'Images stay: their layers are in the store.',
  flags: [
    boolean('all', 'Remove the directories of RUN --mount=type=cache as well', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "until=24h")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
    value('keep-storage', 'Amount of disk space to keep for cache', { takes: 'bytes' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const all = flagOn(parsed, 'all');
    const size = flagText(parsed, 'keep-storage') ?? '0';
    const keep = parseSize(size);
    if (keep === undefined)
      throw new CaissonError(`invalid --keep-storage ${size}: it is no size`, { code: 'EUSAGE' });
    const what = all ? 'all build cache' : 'all build cache but the directories of cache mounts';
    if (!flagOn(parsed, 'force') && !(await confirmed(context, `WARNING! This will remove ${what}.`))) return;
    const options = { all, filters: flagList(parsed, 'filter'), keep: Number(keep) };
    const pruned = await inShop(context, (shop) => pruneBuilds(shop, options));
    printPruned(context, pruned);
    context.out(`Total reclaimed space: ${humanSize(pruned.reclaimed)}`);
  }),
};

/** docker's list of what has gone. */
export function printPruned(
  context: Context,
  { deleted, busy }: Pick<PrunedBuilds, 'deleted' | 'busy'>,
): void {
  if (busy) context.warn('another caisson uses the store: nothing was removed');
  if (deleted.length === 0) return;
  context.out('Deleted build cache objects:');
  for (const name of deleted) context.out(name);
  context.out('');
}
