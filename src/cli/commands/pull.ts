// `caisson pull`.

import { pullImage } from '../../engine/images/pull.ts';
import { atItsRegistry, registryConfiguration } from '../../engine/images/registry.ts';
import { type Shop, wantedPlatform } from '../../engine/images/shop.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, familiarName, parseNamed, withTarget } from '../../spec/reference.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { ending, inShop, outputReporter } from '../image-shop.ts';

export const command: Command = {
  name: 'pull',
  summary: 'Download an image from a registry',
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  description:
    'Layers come side by side and are unpacked at once. An interrupted pull goes on where it ended.',
  examples: ['caisson pull debian:12', 'caisson pull --platform linux/arm64 busybox'],
  flags: [
    boolean('all-tags', 'Download all tagged images in the repository', { short: 'a' }),
    value('platform', 'Set platform if server is multi-platform capable'),
    boolean('quiet', 'Suppress verbose output', { short: 'q' }),
  ],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [name] = parsed.positionals as [Bytes];
    const quiet = flagOn(parsed, 'quiet');
    const allTags = flagOn(parsed, 'all-tags');
    const named = parseNamed(name);
    const untagged = named.tag === undefined && named.digest === undefined;
    if (allTags && !untagged)
      throw new CaissonError("tag can't be used with --all-tags/-a", { code: 'EREFERENCE' });
    const reporter = outputReporter(context, quiet);
    if (untagged && !allTags) reporter.line('Using default tag: latest');
    const pulled = await inShop(
      context,
      (shop) => pullNamed(shop, name, flagText(parsed, 'platform'), allTags),
      reporter,
    );
    for (const each of pulled) context.out(each);
  }),
};

/** The names in full of what has come. */
async function pullNamed(
  shop: Shop,
  name: Bytes,
  platform: Bytes | undefined,
  allTags: boolean,
): Promise<string[]> {
  const options = { platform: wantedPlatform(shop.port, platform), explicit: platform !== undefined };
  const configuration = await registryConfiguration(shop.port);
  return await atItsRegistry(configuration, name, shop.reporter, async (registry, reference) => {
    if (!allTags) return [canonical((await pullImage(shop, registry, reference, options)).reference)];
    const tags = await registry.tags();
    if (tags.length === 0) throw noTags(familiarName(reference));
    for (const tag of tags) await pullImage(shop, registry, withTarget(reference, { tag }), options);
    return [canonical(withTarget(reference, {}))];
  });
}

function noTags(name: string): CaissonError {
  return new CaissonError(`${name} has no tags`, { code: 'ENOTFOUND' });
}
