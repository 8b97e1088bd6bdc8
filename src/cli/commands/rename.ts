// `caisson rename`.
import { renameContainer } from '../../engine/containers/rename.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { ending } from '../image-shop.ts';

export const command: Command = {
  name: 'rename',
  summary: 'Rename a container',
  usage: 'CONTAINER NEW_NAME',
  description: '',
  flags: [],
  arguments: [2, 2],
  run: ending(async ({ positionals }, context) => {
    const [container, name] = positionals as [Bytes, Bytes];
    await renameContainer(await containerEngine(context), container, name);
  }),
};
