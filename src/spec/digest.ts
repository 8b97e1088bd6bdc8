// Digests: the names of content, `sha256:` or `sha512:` and lower-case hexadecimal digits.

import { CaissonError } from './error.ts';

/** A digest that parseDigest has accepted: safe as a part of a path and of a URL. */
export type Digest = string & { readonly __digest: true };

export type DigestAlgorithm = 'sha256' | 'sha512';

/** The registered algorithms (image-spec, descriptor.md, "Registered algorithms") that caisson computes, and their lengths in hexadecimal digits. */
const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

const GRAMMAR = /^(sha256|sha512):([0-9a-f]+)$/;

/** Whether `text` is a digest of a registered algorithm, in its one canonical spelling. */
export function isDigest(text: string): text is Digest {
  // The length first: what is a megabyte long is not looked at.
  if (text.length > 135) return false;
  const match = GRAMMAR.exec(text);
  return match !== null && match[2]?.length === HEX_LENGTH[match[1] as DigestAlgorithm];
}

/**
 * Takes a digest from untrusted text. Other algorithms, upper case and other lengths are refused, so that a digest
 * never names a path outside a store or a second copy of the same content (CVE-2024-3727).
 * Throws CaissonError `EDIGEST`.
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new CaissonError(`invalid digest ${shown(text)}: ${objection(text)}`, {
    code: 'EDIGEST',
    details: ['a digest is sha256: and 64 or sha512: and 128 lower-case hexadecimal digits'],
  });
}

/** The parts of a digest; the hexadecimal digits alone name a blob in an image layout. */
export function splitDigest(digest: Digest): { readonly algorithm: DigestAlgorithm; readonly hex: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as DigestAlgorithm, hex: digest.slice(colon + 1) };
}

/** The digest of an algorithm and the digits that a hash function returned. Throws CaissonError `EDIGEST`. */
export function digestOf(algorithm: DigestAlgorithm, hex: string): Digest {
  return parseDigest(`${algorithm}:${hex}`);
}

/** The first twelve digits, as docker shows an image or a layer. */
export function shortDigest(digest: Digest): string {
  return splitDigest(digest).hex.slice(0, 12);
}

function objection(text: string): string {
  const colon = text.indexOf(':');
  if (colon < 0) return 'it names no algorithm';
  const algorithm = text.slice(0, colon);
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return 'its algorithm is not sha256 or sha512';
  const hex = text.slice(colon + 1);
  const wanted = HEX_LENGTH[algorithm];
  if (hex.length !== wanted) return `it has ${hex.length} digits and ${algorithm} has ${wanted}`;
  return 'it has characters that are not lower-case hexadecimal digits';
}

/** Control characters escaped and the rest cut, for this may come from anywhere. */
function shown(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 157)}...` : text);
}
