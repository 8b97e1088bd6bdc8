// JSON documents of images as they come from strangers: bounded in size, depth and number of values, and unambiguous.
//
// The same bytes are read by many programs (registry, scanner, engine), and each must see the same image in them
// (CVE-2021-41190, GHSA-5j5w). So what two readers could understand differently is refused: equal names in an object,
// and names that Go's encoding/json takes for a field of the specification although they are spelled differently.

import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { type Fields, isObject, quote } from './check.ts';
import { type Descriptor, parseDescriptor } from './descriptor.ts';
import { CaissonError, type Pointer } from './error.ts';
import { parseJsonStrictly } from './json-parser.ts';
import { escapePointer } from './pointer.ts';

/** Bytes of a manifest or an index: what registries accept and clients must be able to take (distribution-spec, "Pushing Manifests"). */
export const MANIFEST_LIMIT = 4 << 20;

/** Bytes of an image configuration, whose history grows with every build step. */
export const CONFIG_LIMIT = 8 << 20;

/** The deepest field of the specification is at depth 5; annotations are flat. Extensions get some room. */
const DEPTH = 32;

const VALUES = 400_000;

/**
 * The object that the bytes of a document are. `what` names it in messages. Throws CaissonError `EDOCUMENT` for more
 * than `limit` bytes and for what is no object, `EINVALIDJSON` for what is no JSON or has a name twice.
 */
export function parseDocument(text: Bytes, what: string, limit: number): Fields {
  if (text.length > limit)
    throw refuseDocument(what, '', `it has ${text.length} bytes, and at most ${limit} are read`);
  const value = parseJsonStrictly(text, what, { depth: DEPTH, values: VALUES });
  if (!isObject(value)) throw refuseDocument(what, '', 'expected an object');
  return value;
}

/** The two letters that Go's folding takes for ASCII ones: long s and the Kelvin sign. */
const LONG_S = utf8ToBytes('\u017f');
const KELVIN = utf8ToBytes('\u212a');

function fold(name: Bytes): Bytes {
  return name.replaceAll(LONG_S, 's').replaceAll(KELVIN, 'k').toLowerCase();
}

/**
 * Refuses names that are one of `known` but for case. encoding/json would take `Layers` for `layers`, we would not.
 * Throws CaissonError `EDOCUMENT`.
 */
export function refuseLookAlikes(
  fields: Fields,
  known: ReadonlySet<string>,
  what: string,
  where: Pointer = '',
): void {
  for (const name of Object.keys(fields)) {
    if (known.has(name)) continue;
    const folded = fold(name);
    for (const other of known) {
      if (fold(other) !== folded) continue;
      throw refuseDocument(
        what,
        `${where}/${escapePointer(name)}`,
        `${quote(name)} could be taken for ${other}`,
      );
    }
  }
}

/** image-spec 1.1, descriptor.md, and of `platform` image-index.md. */
const DESCRIPTOR_FIELDS: ReadonlySet<string> = new Set([
  ...['mediaType', 'digest', 'size', 'urls', 'annotations', 'data', 'artifactType', 'platform'],
]);
const PLATFORM_FIELDS: ReadonlySet<string> = new Set([
  ...['architecture', 'os', 'os.version', 'os.features', 'variant'],
]);

/** A descriptor inside of a document. Throws CaissonError `EDESCRIPTOR`, and `EDOCUMENT` for names that look alike. */
export function descriptorIn(value: unknown, what: string, where: Pointer): Descriptor {
  if (isObject(value)) {
    refuseLookAlikes(value, DESCRIPTOR_FIELDS, what, where);
    if (isObject(value.platform))
      refuseLookAlikes(value.platform, PLATFORM_FIELDS, what, `${where}/platform`);
  }
  return parseDescriptor(value, where);
}

/** The error for a document that is not believed. */
export function refuseDocument(what: string, where: Pointer, why: string): CaissonError {
  const place = where === '' ? '' : ` ${where}:`;
  return new CaissonError(`${what}:${place} ${why}`, {
    code: 'EDOCUMENT',
    provenance: where === '' ? [] : [where],
  });
}
