// `caisson manifest create`.
import {
  entryOf,
  type ListEntry,
  readList,
  withEntry,
  writeList,
} from '../../engine/images/manifest-list.ts';
import { boolean } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, parseReference } from '../../spec/reference.ts';
import { type Command, flagOn } from '../command.ts';
import { ending } from '../image-shop.ts';
import { atRegistry, listRoot } from '../manifest-commands.ts';

export const command: Command = {
  name: 'manifest create',
  summary: 'Create a local manifest list for annotating and pushing to a registry',
  usage: 'MANIFEST_LIST MANIFEST [MANIFEST...]',
  description: 'The images are in a registry already; no layer is pulled.',
  flags: [boolean('amend', 'Amend an existing manifest list', { short: 'a' })],
  arguments: [2, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const [name, ...texts] = parsed.positionals as [Bytes, ...Bytes[]];
    const list = parseReference(name);
    const root = await listRoot(context);
    const known = readList(context.port, root, list);
    if (known !== undefined && !flagOn(parsed, 'amend')) {
      throw new CaissonError(`refusing to amend an existing manifest list with no --amend flag`, {
        code: 'ECONFLICT',
      });
    }
    let entries: ListEntry[] = known ?? [];
    for (const text of texts) {
      const reference = parseReference(text);
      const entry = await atRegistry(context, reference, 'pull', (registry) => entryOf(registry, reference));
      entries = withEntry(entries, entry);
    }
    writeList(context.port, root, list, entries);
    context.out(`Created manifest list ${canonical(list)}`);
  }),
};
