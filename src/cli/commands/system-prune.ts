// `caisson system prune`.
import { pruneBuilds } from '../../engine/build/prune.ts';
import { prune, removeAbandoned } from '../../engine/images/prune.ts';
import { boolean, list } from '../../frontends/flag.ts';
import { type Command, flagList, flagOn } from '../command.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';
import { printPruned as printPrunedBuilds } from './builder-prune.ts';
import { printPruned } from './image-prune.ts';

const NO_BUILDS = { deleted: [], reclaimed: 0 };

export const command: Command = {
  name: 'system prune',
  summary: 'Remove unused data',
  usage: '[OPTIONS]',
  description:
    'Images that nobody uses, results of builds, parts of interrupted pulls, and what containers have left that were killed.',
  flags: [
    boolean('all', 'Remove all unused images not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<key>=<value>")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
    boolean('volumes', 'Prune anonymous volumes', { later: 'volumes (issue 5)' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const all = flagOn(parsed, 'all');
    const images = all
      ? 'all images without at least one container associated to them'
      : 'all dangling images';
    const warning = `WARNING! This will remove:\n  - what interrupted runs have left\n  - ${images}\n  - parts of interrupted pulls\n`;
    if (!flagOn(parsed, 'force') && !(await confirmed(context, warning))) return;
    const pruned = await inShop(context, async (shop) => {
      const { length: places } = await removeAbandoned(shop.port, shop.store.root);
      if (places > 0)
        context.out(`Removed what ${places} interrupted ${places === 1 ? 'run has' : 'runs have'} left\n`);
      const filters = flagList(parsed, 'filter');
      const images = await prune(shop, { all, filters });
      // Results of builds have no labels.
      const dated = filters.every((filter) => filter.startsWith('until='));
      const builds = dated ? await pruneBuilds(shop, { all: false, filters, keep: 0 }) : NO_BUILDS;
      return { ...images, builds, reclaimed: images.reclaimed + builds.reclaimed };
    });
    printPruned(context, pruned);
    printPrunedBuilds(context, { ...pruned.builds, busy: false });
    context.out(`Total reclaimed space: ${humanSize(pruned.reclaimed)}`);
  }),
};
