// `caisson image prune`.
import { type Pruned, prune } from '../../engine/images/prune.ts';
import { boolean, list } from '../../frontends/flag.ts';
import { type Command, flagList, flagOn } from '../command.ts';
import type { Context } from '../context.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';

export const command: Command = {
  name: 'image prune',
  summary: 'Remove unused images',
  usage: '[OPTIONS]',
  flags: [
    boolean('all', 'Remove all unused images, not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const all = flagOn(parsed, 'all');
    const what = all ? 'all images without at least one container associated to them' : 'all dangling images';
    if (!flagOn(parsed, 'force') && !(await confirmed(context, `WARNING! This will remove ${what}.`))) return;
    const pruned = await inShop(context, (shop) => prune(shop, { all, filters: flagList(parsed, 'filter') }));
    printPruned(context, pruned);
    context.out(`Total reclaimed space: ${humanSize(pruned.reclaimed)}`);
  }),
};

/** docker's list of what has gone. */
export function printPruned(context: Context, { untagged, deleted, busy }: Pruned): void {
  if (busy) context.warn('another caisson uses the store: what nobody needs is removed the next time');
  if (untagged.length + deleted.length === 0) return;
  context.out('Deleted Images:');
  for (const name of untagged) context.out(`untagged: ${name}`);
  for (const digest of deleted) context.out(`deleted: ${digest}`);
  context.out('');
}
