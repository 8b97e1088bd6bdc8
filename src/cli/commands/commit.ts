// `caisson commit`.
import { commitByName } from '../../engine/containers/changes.ts';
import { newName } from '../../engine/images/new-image.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagList, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'commit',
  summary: "Create a new image from a container's changes",
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  description:
    "The configuration is the container's, that is its image's with the flags of its create or run; --change alters it.\n" +
    'The container may be running, and stands still then unless --pause=false, or stopped.',
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
    const engine = await containerEngine(context);
    const options = {
      name: reference,
      author: flagText(parsed, 'author'),
      message: flagText(parsed, 'message'),
      changes: flagList(parsed, 'change'),
      pause: parsed.flags.get('pause') !== false,
    };
    const id = await commitByName(engine, container, options, (work) => inShop(context, work));
    context.out(id);
  }),
};
