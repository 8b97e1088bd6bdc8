// `caisson import`.
import { importImage } from '../../engine/images/import.ts';
import { newName } from '../../engine/images/new-image.ts';
import { type Shop, wantedPlatform } from '../../engine/images/shop.ts';
import { addressSource, fileSource, inputSource, type Source } from '../../engine/images/streams.ts';
import { list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagList, flagText } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'import',
  summary: 'Import the contents from a tarball to create a filesystem image',
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  description:
    'The archive of a root file system, as `caisson export` writes it, becomes an image of one layer.',
  examples: [
    'caisson import rootfs.tar busybox',
    'tar -C rootfs -c . | caisson import --change "CMD sh" - app:1',
  ],
  flags: [
    list('change', 'Apply Dockerfile instruction to the created image', { short: 'c' }),
    value('message', 'Set commit message for imported image', { short: 'm' }),
    value('platform', 'Set platform of the created image'),
  ],
  arguments: [1, 2],
  completes: 'file',
  run: ending(async (parsed, context) => {
    const [from, name] = parsed.positionals as [Bytes, Bytes | undefined];
    const reference = newName(name);
    const id = await inShop(context, async (shop) => {
      const source = await sourceOf(shop, from);
      try {
        return await importImage(shop, source, {
          name: reference,
          changes: flagList(parsed, 'change'),
          message: flagText(parsed, 'message'),
          platform: wantedPlatform(shop.port, flagText(parsed, 'platform')),
          from,
        });
      } finally {
        source.close();
      }
    });
    context.out(id);
  }),
};

async function sourceOf(shop: Shop, from: Bytes): Promise<Source> {
  if (from === '-') return await inputSource(shop);
  if (/^https?:\/\//.test(from)) return await addressSource(shop, from);
  return fileSource(shop.port, from);
}
