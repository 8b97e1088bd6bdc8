// `caisson save`.
import { type ArchiveFormat, saveImages } from '../../engine/images/archives.ts';
import { wantedPlatform } from '../../engine/images/shop.ts';
import { refuseTerminal, writeOutput } from '../../engine/images/streams.ts';
import { value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagText } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';
import { isOutputTerminal } from '../terminal.ts';

export const command: Command = {
  name: 'save',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  description:
    'Blobs are written as they are in the store, so that digests stay. docker, podman and skopeo read both formats.',
  examples: [
    'caisson save -o debian.tar debian:12',
    'caisson save --format oci app:1 | ssh host caisson load',
  ],
  flags: [
    value('format', 'Format of the archive: docker (which is an OCI layout, too) or oci', {
      fallback: 'docker',
      completes: ['docker', 'oci'],
    }),
    value('output', 'Write to a file, instead of STDOUT', { short: 'o', completes: 'file' }),
    value('platform', 'Save only the given platform variant'),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const format = archiveFormat(flagText(parsed, 'format'));
    const output = flagText(parsed, 'output');
    refuseTerminal(output === undefined && isOutputTerminal(), 'save');
    await inShop(context, async (shop) => {
      const text = flagText(parsed, 'platform');
      const platform = text === undefined ? undefined : wantedPlatform(shop.port, text);
      await writeOutput(shop.port, output, await saveImages(shop, parsed.positionals, format, platform));
    });
  }),
};

/** podman's words are understood too. */
function archiveFormat(text: Bytes = 'docker'): ArchiveFormat {
  if (text === 'docker' || text === 'docker-archive') return 'docker';
  if (text === 'oci' || text === 'oci-archive') return 'oci';
  throw new CaissonError(`unknown format "${text}": there are docker and oci`, { code: 'EUSAGE' });
}
