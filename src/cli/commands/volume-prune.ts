// `caisson volume prune`.
import { pruneVolumes } from '../../engine/volumes/prune.ts';
import { boolean, list } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagList, flagOn } from '../command.ts';
import type { Context } from '../context.ts';
import { humanSize } from '../human.ts';
import { ending } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume prune',
  summary: 'Remove unused local volumes',
  usage: '[OPTIONS]',
  flags: [
    boolean('all', 'Remove all unused volumes, not just anonymous ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<label>")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const all = flagOn(parsed, 'all');
    const what = `${all ? 'all' : 'anonymous'} local volumes not used by at least one container`;
    if (!flagOn(parsed, 'force') && !(await confirmed(context, `WARNING! This will remove ${what}.`))) return;
    const store = await openStore(context);
    const { deleted, reclaimed } = await pruneVolumes(store, { all, filters: flagList(parsed, 'filter') });
    printPrunedVolumes(context, deleted);
    context.out(`Total reclaimed space: ${humanSize(reclaimed)}`);
  }),
};

/** docker's list of what has gone. */
export function printPrunedVolumes(context: Context, deleted: readonly Bytes[]): void {
  if (deleted.length === 0) return;
  context.out('Deleted Volumes:');
  for (const name of deleted) context.out(name);
  context.out('');
}
