// `caisson image verify`.
import { verifyImages } from '../../engine/images/verify.ts';
import { boolean } from '../../frontends/flag.ts';
import { type Command, flagOn } from '../command.ts';
import { humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';

export const command: Command = {
  name: 'image verify',
  summary: 'Check everything in the store against its digests, and unpacked layers against their archives',
  usage: '[OPTIONS]',
  description:
    'What is damaged is set aside, so that the next pull brings it again; a layer whose files differ is unpacked anew.\n' +
    'Comparing files takes as long as unpacking, and room for one layer. The exit code is 1 when something was wrong.',
  flags: [
    boolean('dry-run', 'Only say what is wrong', { short: 'n' }),
    boolean('quick', 'Leave out the files of unpacked layers'),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const report = await inShop(context, (shop) =>
      verifyImages(shop, { dryRun: flagOn(parsed, 'dry-run'), quick: flagOn(parsed, 'quick') }),
    );
    for (const { kind, object, problem, quarantined } of report.findings) {
      const moved = quarantined === undefined ? '' : `; moved to ${quarantined}`;
      context.out(`${kind} ${object}: ${problem}${moved}`);
    }
    const { images, blobs, bytes, layers, compared, findings } = report;
    const wrong = findings.length === 0 ? 'all of them good' : `${findings.length} wrong`;
    context.out(
      `${images} images, ${blobs} blobs (${humanSize(bytes)}), ${layers} unpacked layers (${compared} compared with their archives): ${wrong}`,
    );
    return findings.length === 0 ? 0 : 1;
  }),
};
