// `caisson diff`.
import { containerChanges } from '../../engine/images/commit.ts';
import { runningContainer } from '../../engine/images/running.ts';
import { changeLines } from '../../image/layer/changes.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';
import { stateRoot } from '../state-root.ts';

export const command: Command = {
  name: 'diff',
  summary: "Inspect changes to files or directories on a container's filesystem",
  usage: 'CONTAINER',
  description:
    'A for what was added, C for what was changed, D for what was deleted. The container must be running.',
  flags: [],
  arguments: [1, 1],
  run: ending(async ({ positionals }, context) => {
    const [container] = positionals as [Bytes];
    const record = runningContainer(context.port, stateRoot(context), container);
    context.port.write(1, changeLines(await inShop(context, (shop) => containerChanges(shop, record))));
  }),
};
