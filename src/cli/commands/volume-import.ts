// `caisson volume import`.
import { fileSource, plainOf } from '../../engine/images/streams.ts';
import { importVolume } from '../../engine/volumes/archive.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { ending } from '../image-shop.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume import',
  summary: 'Unpack a tar archive into a volume',
  usage: 'VOLUME [FILE|-]',
  description:
    'The volume must be there. Files of the archive take the place of those of the same name, others stay.\n' +
    'The archive may be compressed with gzip or zstd.',
  examples: ['caisson volume create data && caisson volume import data data.tar'],
  flags: [],
  arguments: [1, 2],
  completes: 'file',
  run: ending(async (parsed, context) => {
    const [name, file = '-'] = parsed.positionals as [Bytes, Bytes | undefined];
    const { port } = context;
    const store = await openStore(context);
    const volume = store.get(name);
    const input = () => port.readInputChunks?.() ?? port.readChunks('/proc/self/fd/0');
    await importVolume(store, volume, file === '-' ? plainOf(input()) : fileSource(port, file).plain());
  }),
};
