// `caisson image verify`.
import { boolean } from '../../frontends/flag.ts';
import { type Command, flagOn } from '../command.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'image verify',
  summary: 'Check everything in the store against its digests',
  usage: '[OPTIONS]',
  description:
    'What is damaged is set aside, so that the next pull brings it again. The exit code is 1 when something was wrong.',
  flags: [boolean('dry-run', 'Only say what is wrong', { short: 'n' })],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const report = await inShop(context, ({ store }) => store.verify({ dryRun: flagOn(parsed, 'dry-run') }));
    for (const { kind, object, problem, quarantined } of report.findings) {
      const moved = quarantined === undefined ? '' : `; moved to ${quarantined}`;
      context.out(`${kind} ${object}: ${problem}${moved}`);
    }
    const { images, blobs, bytes, layers, findings } = report;
    const wrong = findings.length === 0 ? 'all of them good' : `${findings.length} wrong`;
    context.out(
      `${images} images, ${blobs} blobs (${humanSize(bytes)}), ${layers} unpacked layers: ${wrong}`,
    );
    return findings.length === 0 ? 0 : 1;
  }),
};
