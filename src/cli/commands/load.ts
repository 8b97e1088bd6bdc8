// `caisson load`.
import { loadImages } from '../../engine/images/archives.ts';
import { wantedPlatform } from '../../engine/images/shop.ts';
import { fileSource, inputSource } from '../../engine/images/streams.ts';
import { boolean, value } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';
import { isInputTerminal } from '../terminal.ts';

export const command: Command = {
  name: 'load',
  summary: 'Load an image from a tar archive or STDIN',
  usage: '[OPTIONS]',
  description:
    "Archives of docker, podman and skopeo, docker's or OCI's, plain or compressed with gzip or zstd.",
  examples: ['caisson load -i debian.tar', 'docker save app:1 | caisson load'],
  flags: [
    value('input', 'Read from tar archive file, instead of STDIN', { short: 'i', completes: 'file' }),
    value('platform', 'Load only the given platform variant'),
    boolean('quiet', 'Suppress the load output', { short: 'q' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const input = flagText(parsed, 'input');
    if (input === undefined && isInputTerminal())
      throw new CaissonError('requested load from stdin, but stdin is empty', {
        code: 'EUSAGE',
        exitCode: 1,
      });
    const quiet = flagOn(parsed, 'quiet');
    const loaded = await inShop(context, async (shop) => {
      const source = input === undefined ? await inputSource(shop) : fileSource(shop.port, input);
      try {
        const platform = wantedPlatform(shop.port, flagText(parsed, 'platform'));
        return await loadImages(shop, source, platform, (name, id) => {
          if (!quiet)
            context.out(
              `The image ${name} already exists, renaming the old one with ID ${id} to empty string`,
            );
        });
      } finally {
        source.close();
      }
    });
    if (quiet) return;
    for (const { names, id } of loaded) {
      if (names.length === 0) context.out(`Loaded image ID: ${id}`);
      for (const name of names) context.out(`Loaded image: ${name}`);
    }
  }),
};
