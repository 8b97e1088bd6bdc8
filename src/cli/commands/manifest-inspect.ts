// `caisson manifest inspect`.

import type { Registry } from '../../distribution/registry.ts';
import { listDocument, readList } from '../../engine/images/manifest-list.ts';
import { boolean } from '../../frontends/flag.ts';
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { parseImageManifest, parseManifest } from '../../spec/image-manifest.ts';
import { type JsonValue, parseJson, stringifyJson } from '../../spec/json.ts';
import type { Reference } from '../../spec/reference.ts';
import { canonical, parseReference, withTarget } from '../../spec/reference.ts';
import { type Command, flagOn } from '../command.ts';
import { ending } from '../image-shop.ts';
import { atRegistry, listRoot } from '../manifest-commands.ts';

/** docker indents these with tabs. */
const INDENT = '\t';

export const command: Command = {
  name: 'manifest inspect',
  summary: 'Display an image manifest, or manifest list',
  usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
  description: 'Of a list that was created here, or from its registry; nothing is pulled.',
  flags: [boolean('verbose', 'Output additional info including layers and platform', { short: 'v' })],
  arguments: [1, 2],
  run: ending(async (parsed, context) => {
    const text = parsed.positionals.at(-1) as Bytes;
    const reference = parseReference(text);
    const local = readList(context.port, await listRoot(context), reference);
    if (local !== undefined) {
      context.out(stringifyJson(parseJson(listDocument(local).text), INDENT));
      return;
    }
    const verbose = flagOn(parsed, 'verbose');
    const shown = await atRegistry(context, reference, 'pull', (registry) =>
      look(registry, reference, verbose),
    );
    context.out(stringifyJson(shown, INDENT));
  }),
};

async function look(registry: Registry, reference: Reference, verbose: boolean): Promise<JsonValue> {
  const { descriptor, bytes } = await registry.manifest(reference);
  const text = fromArray(bytes);
  if (!verbose) return parseJson(text);
  const document = parseManifest(text, descriptor.mediaType);
  if (document.kind === 'manifest') return detail(reference, descriptor, text);
  const each: JsonValue[] = [];
  for (const entry of document.manifests) {
    const found = await registry.manifest(entry);
    const name = withTarget(reference, { digest: entry.digest });
    each.push(detail(name, entry, fromArray(found.bytes)));
  }
  return each;
}

function detail(reference: Reference, descriptor: object, text: Bytes): JsonValue {
  parseImageManifest(text);
  return {
    Ref: canonical(reference),
    Descriptor: parseJson(stringifyJson(descriptor)),
    OCIManifest: parseJson(text),
  };
}
