// The images of the library's `run`: those of a store, pulled when they are not there.
import type { IdMaps } from '../frontends/docker/facts.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import { utf8ToBytes } from '../linux/bytes.ts';
import { containerIds } from './images/changes-view.ts';
import { SILENT } from './images/reporter.ts';
import { imageOpener, pullPolicy } from './images/run-image.ts';
import type { RunInput } from './library-run.ts';
import type { OpenImage } from './opened-image.ts';

/** `flags` are the input's as byte strings. Throws CaissonError `EUSAGE` for a policy that there is not. */
export function libraryImage(
  image: string,
  { dataRoot }: RunInput,
  flags: RunFlags,
  maps: IdMaps | undefined,
): OpenImage {
  return imageOpener({
    image: utf8ToBytes(image),
    dataRoot: dataRoot === undefined ? undefined : utf8ToBytes(dataRoot),
    platform: flags.platform,
    pull: pullPolicy(flags.pull),
    name: flags.name,
    userns: flags.userns,
    ids: maps === undefined ? undefined : containerIds(maps),
    reporter: SILENT,
  });
}
