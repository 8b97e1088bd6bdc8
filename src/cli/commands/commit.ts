// `caisson commit`.
import { commitContainer } from '../../engine/images/commit.ts';
import { newName } from '../../engine/images/new-image.ts';
import { runningContainer } from '../../engine/images/running.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagList, flagText } from '../command.ts';
import { ending, inShop } from '../image-shop.ts';
import { stateRoot } from '../state-root.ts';

export const command: Command = {
  name: 'commit',
  summary: "Create a new image from a container's changes",
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  description:
    "The configuration is that of the container's image; --change alters it. The container must be running: those\n" +
    'that stay behind their command come with the engine (issue 5).',
  flags: [
    value('author', 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: 'a' }),
    list('change', 'Apply Dockerfile instruction to the created image', { short: 'c' }),
    value('message', 'Commit message', { short: 'm' }),
    boolean('pause', 'Pause container during commit', { short: 'p', fallback: 'true' }),
  ],
  arguments: [1, 2],
  run: ending(async (parsed, context) => {
    const [container, name] = parsed.positionals as [Bytes, Bytes | undefined];
    const reference = newName(name);
    const record = runningContainer(context.port, stateRoot(context), container);
    const id = await inShop(context, (shop) =>
      commitContainer(shop, record, {
        name: reference,
        author: flagText(parsed, 'author'),
        message: flagText(parsed, 'message'),
        changes: flagList(parsed, 'change'),
        pause: parsed.flags.get('pause') !== false,
      }),
    );
    context.out(id);
  }),
};
