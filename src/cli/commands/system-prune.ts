// `caisson system prune`.
import { pruneBuilds } from '../../engine/build/prune.ts';
import { pruneContainers } from '../../engine/containers/prune.ts';
import { prune, removeAbandoned } from '../../engine/images/prune.ts';
import { pruneVolumes } from '../../engine/volumes/prune.ts';
import { volumesBeside } from '../../engine/volumes/usage.ts';
import { boolean, list } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagList, flagOn } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';
import { confirmed } from '../prompt.ts';
import { printPruned as printPrunedBuilds } from './builder-prune.ts';
import { printPrunedContainers } from './container-prune.ts';
import { printPruned } from './image-prune.ts';
import { printPrunedVolumes } from './volume-prune.ts';

const NO_BUILDS = { deleted: [], reclaimed: 0 };
const NO_VOLUMES = { deleted: [], reclaimed: 0 };

export const command: Command = {
  name: 'system prune',
  summary: 'Remove unused data',
  usage: '[OPTIONS]',
  description:
    'Containers that do not run, images that nobody uses, results of builds, parts of interrupted pulls, and what containers have left that were killed.',
  flags: [
    boolean('all', 'Remove all unused images not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<key>=<value>")', { takes: 'filter' }),
    boolean('force', 'Do not prompt for confirmation', { short: 'f' }),
    boolean('volumes', 'Prune anonymous volumes'),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const all = flagOn(parsed, 'all');
    const images = all
      ? 'all images without at least one container associated to them'
      : 'all dangling images';
    const volumes = flagOn(parsed, 'volumes');
    const ofVolumes = volumes ? '  - all anonymous volumes not used by at least one container\n' : '';
    const warning = `WARNING! This will remove:\n  - all stopped containers\n  - what interrupted runs have left\n${ofVolumes}  - ${images}\n  - parts of interrupted pulls\n`;
    const filters = flagList(parsed, 'filter');
    if (volumes) refuseUntil(filters);
    if (!flagOn(parsed, 'force') && !(await confirmed(context, warning))) return;
    const containers = await pruneContainers(await containerEngine(context), filters);
    printPrunedContainers(context, containers);
    const pruned = await inShop(context, async (shop) => {
      const { length: places } = await removeAbandoned(shop.port, shop.store.root);
      if (places > 0)
        context.out(`Removed what ${places} interrupted ${places === 1 ? 'run has' : 'runs have'} left\n`);
      const gone = volumes ? await pruneVolumes(volumesBeside(shop), { all: false, filters }) : NO_VOLUMES;
      const images = await prune(shop, { all, filters });
      // Results of builds have no labels.
      const dated = filters.every((filter) => filter.startsWith('until='));
      const builds = dated ? await pruneBuilds(shop, { all: false, filters, keep: 0 }) : NO_BUILDS;
      const reclaimed = images.reclaimed + builds.reclaimed + gone.reclaimed + containers.reclaimed;
      return { ...images, builds, volumes: gone.deleted, reclaimed };
    });
    printPrunedVolumes(context, pruned.volumes);
    printPruned(context, pruned);
    printPrunedBuilds(context, { ...pruned.builds, busy: false });
    context.out(`Total reclaimed space: ${humanSize(pruned.reclaimed)}`);
  }),
};

/** docker's: a volume has no time after which it is old. */
function refuseUntil(filters: readonly Bytes[]): void {
  if (!filters.some((filter) => filter.startsWith('until'))) return;
  throw new CaissonError('ERROR: The "until" filter is not supported with "--volumes"', {
    code: 'EUSAGE',
    exitCode: 1,
  });
}
