// `caisson manifest annotate`.
import { type ListEntry, readList, writeList } from '../../engine/images/manifest-list.ts';
import { list as listFlag, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Platform } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, parseReference, type Reference } from '../../spec/reference.ts';
import { type Command, flagList, flagText, type Parsed } from '../command.ts';
import { ending } from '../image-shop.ts';
import { atRegistry, listRoot, noSuchList } from '../manifest-commands.ts';

export const command: Command = {
  name: 'manifest annotate',
  summary: 'Add additional information to a local image manifest',
  usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
  flags: [
    value('arch', 'Set architecture'),
    value('os', 'Set operating system'),
    listFlag('os-features', 'Set operating system feature'),
    value('os-version', 'Set operating system version'),
    value('variant', 'Set architecture variant'),
  ],
  arguments: [2, 2],
  run: ending(async (parsed, context) => {
    const [name, text] = parsed.positionals as [Bytes, Bytes];
    const list = parseReference(name);
    const root = await listRoot(context);
    const entries = readList(context.port, root, list);
    if (entries === undefined) throw noSuchList(list);
    const reference = parseReference(text);
    const digest =
      reference.digest ??
      (await atRegistry(context, reference, 'pull', (registry) => registry.resolve(reference))).digest;
    const found = entries.find((entry) => isMeant(entry, reference, digest));
    if (found === undefined) {
      throw new CaissonError(
        `manifest for image ${canonical(reference)} does not exist in ${canonical(list)}`,
        {
          code: 'ENOTFOUND',
        },
      );
    }
    const annotated = { ...found, descriptor: { ...found.descriptor, platform: platformOf(found, parsed) } };
    const changed = entries.map((entry) => (entry === found ? annotated : entry));
    writeList(context.port, root, list, changed);
  }),
};

function isMeant({ descriptor, source }: ListEntry, { domain, path }: Reference, digest: string): boolean {
  return descriptor.digest === digest && source.domain === domain && source.path === path;
}

function platformOf({ descriptor }: ListEntry, parsed: Parsed): Platform {
  const { platform = { architecture: '', os: '' } } = descriptor;
  const features = flagList(parsed, 'os-features');
  const [variant, version] = [flagText(parsed, 'variant'), flagText(parsed, 'os-version')];
  return {
    ...platform,
    architecture: flagText(parsed, 'arch') ?? platform.architecture,
    os: flagText(parsed, 'os') ?? platform.os,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(features.length === 0 ? {} : { 'os.features': features }),
  };
}
