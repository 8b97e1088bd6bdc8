// `caisson push`.
import { pushImage, tagsOf } from '../../engine/images/push.ts';
import { pushReference, registryConfiguration, withRegistry } from '../../engine/images/registry.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, familiarName, parseNamed } from '../../spec/reference.ts';
import { type Command, flagOn } from '../command.ts';
import { ending, inShop, outputReporter } from '../image-shop.ts';

export const command: Command = {
  name: 'push',
  summary: 'Upload an image to a registry',
  usage: '[OPTIONS] NAME[:TAG]',
  description:
    'Layers that the registry has, in this repository or another one that is named here, do not go again.',
  flags: [
    boolean('all-tags', 'Push all tags of an image to the repository', { short: 'a' }),
    boolean('quiet', 'Suppress verbose output', { short: 'q' }),
    value('platform', 'Push a platform-specific manifest as a single-platform image', {
      later: 'no issue yet',
    }),
  ],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [name] = parsed.positionals as [Bytes];
    const quiet = flagOn(parsed, 'quiet');
    const allTags = flagOn(parsed, 'all-tags');
    const named = parseNamed(name);
    if (allTags && (named.tag !== undefined || named.digest !== undefined))
      throw new CaissonError("tag can't be used with --all-tags/-a", { code: 'EREFERENCE' });
    const reporter = outputReporter(context, quiet);
    if (!allTags && named.tag === undefined && named.digest === undefined)
      reporter.line('Using default tag: latest');
    await inShop(
      context,
      async (shop) => {
        const references = allTags ? await tagsOf(shop, name) : [pushReference(name)];
        if (references.length === 0) throw noImage(familiarName(named));
        const configuration = await registryConfiguration(shop.port);
        for (const reference of references) {
          const pushed = await withRegistry(configuration, reference, 'push', reporter, (registry) =>
            pushImage(shop, registry, reference),
          );
          if (quiet) context.out(canonical(pushed.reference));
        }
      },
      reporter,
    );
  }),
};

function noImage(name: string): CaissonError {
  return new CaissonError(`An image does not exist locally with the tag: ${name}`, { code: 'ENOTFOUND' });
}
