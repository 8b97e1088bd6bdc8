// `caisson export`.
import { exportByName } from '../../engine/containers/changes.ts';
import { refuseTerminal, writeOutput } from '../../engine/images/streams.ts';
import { value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { ending } from '../image-shop.ts';
import { isOutputTerminal } from '../terminal.ts';

export const command: Command = {
  name: 'export',
  summary: "Export a container's filesystem as a tar archive",
  usage: '[OPTIONS] CONTAINER',
  description: 'What is mounted in the container is left out. The container may be running or stopped.',
  examples: ['caisson export -o rootfs.tar web'],
  flags: [value('output', 'Write to a file, instead of STDOUT', { short: 'o', completes: 'file' })],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const [container] = parsed.positionals as [Bytes];
    const output = flagText(parsed, 'output');
    refuseTerminal(output === undefined && isOutputTerminal(), 'export');
    const engine = await containerEngine(context);
    await exportByName(engine, container, (archive) => writeOutput(context.port, output, archive));
  }),
};
