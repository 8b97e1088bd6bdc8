// `caisson manifest rm`.
import { removeList } from '../../engine/images/manifest-list.ts';
import { parseReference } from '../../spec/reference.ts';
import type { Command } from '../command.ts';
import { ending } from '../image-shop.ts';
import { listRoot, noSuchList } from '../manifest-commands.ts';

export const command: Command = {
  name: 'manifest rm',
  summary: 'Delete one or more manifest lists from local storage',
  usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
  flags: [],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async ({ positionals }, context) => {
    const root = await listRoot(context);
    const missing = positionals.map(parseReference).filter((list) => !removeList(context.port, root, list));
    const [first] = missing;
    if (first !== undefined) throw noSuchList(first);
  }),
};
