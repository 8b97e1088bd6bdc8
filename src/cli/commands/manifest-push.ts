// `caisson manifest push`.
import { pushList, readList, removeList } from '../../engine/images/manifest-list.ts';
import { boolean } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseReference } from '../../spec/reference.ts';
import { type Command, flagOn } from '../command.ts';
import { ending } from '../image-shop.ts';
import { atRegistry, listRoot, noSuchList } from '../manifest-commands.ts';

export const command: Command = {
  name: 'manifest push',
  summary: 'Push a manifest list to a repository',
  usage: '[OPTIONS] MANIFEST_LIST',
  flags: [boolean('purge', 'Remove the local manifest list after push', { short: 'p' })],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [name] = parsed.positionals as [Bytes];
    const list = parseReference(name);
    const root = await listRoot(context);
    const entries = readList(context.port, root, list);
    if (entries === undefined) throw noSuchList(list);
    const pushed = await atRegistry(context, list, 'push', (registry) =>
      pushList(registry, list, entries, (source) =>
        atRegistry(context, source, 'pull', (other) => other.manifest(source)),
      ),
    );
    if (flagOn(parsed, 'purge')) removeList(context.port, root, list);
    context.out(pushed.digest);
  }),
};
