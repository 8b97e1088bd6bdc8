// `caisson volume export`.
import { refuseTerminal, writeOutput } from '../../engine/images/streams.ts';
import { exportVolume } from '../../engine/volumes/archive.ts';
import { value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagText } from '../command.ts';
import { ending } from '../image-shop.ts';
import { isOutputTerminal } from '../terminal.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume export',
  summary: 'Write a volume to a tar archive (STDOUT by default)',
  usage: '[OPTIONS] VOLUME',
  description: 'Containers may use the volume meanwhile: stop them where the files must fit together.',
  examples: ['caisson volume export -o data.tar data'],
  flags: [value('output', 'Write to a file, instead of STDOUT', { short: 'o', completes: 'file' })],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [name] = parsed.positionals as [Bytes];
    const output = flagText(parsed, 'output');
    refuseTerminal(output === undefined && isOutputTerminal(), 'export');
    const store = await openStore(context);
    await writeOutput(context.port, output, exportVolume(store, store.get(name)));
  }),
};
