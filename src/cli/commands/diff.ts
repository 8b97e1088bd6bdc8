// `caisson diff`.
import { changesByName } from '../../engine/containers/changes.ts';
import { changeLines } from '../../image/layer/changes.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'diff',
  summary: "Inspect changes to files or directories on a container's filesystem",
  usage: 'CONTAINER',
  description:
    'A for what was added, C for what was changed, D for what was deleted. The container may be running or stopped.',
  flags: [],
  arguments: [1, 1],
  run: ending(async ({ positionals }, context) => {
    const [container] = positionals as [Bytes];
    const engine = await containerEngine(context);
    const changes = await changesByName(engine, container, (work) => inShop(context, work));
    context.port.write(1, changeLines(changes));
  }),
};
