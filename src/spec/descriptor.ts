// Descriptors: media type, digest and size of content, by which everything in an image refers to everything else.

import type { Bytes } from '../linux/bytes.ts';
import { isObject, quote } from './check.ts';
import { type Digest, isDigest } from './digest.ts';
import { CaissonError, type Pointer } from './error.ts';
import { escapePointer } from './pointer.ts';

/** For which machine an image is (image-spec 1.1, image-index.md); the names are the specification's. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

/** Text that goes with a descriptor or manifest, as byte strings; never a path, a name or a control (CVE-2025-62725). */
export type Annotations = Readonly<Record<Bytes, Bytes>>;

/** image-spec 1.1, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Annotations;
  readonly platform?: Platform;
  /** Where else the content may be had; caisson never goes there (CVE-2020-15157). */
  readonly urls?: readonly string[];
  readonly artifactType?: string;
  /** The content itself in base64; whoever uses it checks it against digest and size. */
  readonly data?: string;
}

/** RFC 6838, section 4.2: names of type and subtype. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Takes a descriptor from a parsed JSON document. `where` is its place in there, for messages. Fields that the
 * specification does not know are left out, for whoever writes a document again keeps its bytes.
 * Throws CaissonError `EDESCRIPTOR` with the pointer of the field.
 */
export function parseDescriptor(value: unknown, where: Pointer): Descriptor {
  if (!isObject(value)) throw refuse(where, 'expected a descriptor, which is an object');
  const annotations = parseAnnotations(value.annotations, `${where}/annotations`);
  const platform = parsePlatform(value.platform, `${where}/platform`);
  const urls = optionalTexts(value.urls, `${where}/urls`);
  const artifactType = optional(value.artifactType, `${where}/artifactType`, parseMediaType);
  const data = optional(value.data, `${where}/data`, parseBase64);
  return {
    mediaType: parseMediaType(value.mediaType, `${where}/mediaType`),
    digest: parseDigestField(value.digest, `${where}/digest`),
    size: parseSize(value.size, `${where}/size`),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
    ...(urls === undefined ? {} : { urls }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(data === undefined ? {} : { data }),
  };
}

/** Takes annotations from a parsed document; undefined where there are none. Throws CaissonError `EDESCRIPTOR`. */
export function parseAnnotations(value: unknown, where: Pointer): Annotations | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw refuse(where, 'expected annotations, which are an object of strings');
  // Without a prototype: the names are anybody's, `__proto__` too.
  const annotations: Record<Bytes, Bytes> = Object.create(null);
  for (const [name, text] of Object.entries(value))
    annotations[name] = parseText(text, `${where}/${escapePointer(name)}`);
  return annotations;
}

/** Takes a platform from a parsed document; undefined where there is none. Throws CaissonError `EDESCRIPTOR`. */
export function parsePlatform(value: unknown, where: Pointer): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw refuse(where, 'expected a platform, which is an object');
  const variant = optional(value.variant, `${where}/variant`, parseText);
  const version = optional(value['os.version'], `${where}/os.version`, parseText);
  const features = optionalTexts(value['os.features'], `${where}/os.features`);
  return {
    architecture: parseText(value.architecture, `${where}/architecture`),
    os: parseText(value.os, `${where}/os`),
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(features === undefined ? {} : { 'os.features': features }),
  };
}

/** A media type without parameters. Throws CaissonError `EDESCRIPTOR`. */
export function parseMediaType(value: unknown, where: Pointer): string {
  const text = parseText(value, where);
  if (MEDIA_TYPE.test(text)) return text;
  throw refuse(where, `${quote(text)} is not a media type`);
}

function parseDigestField(value: unknown, where: Pointer): Digest {
  const text = parseText(value, where);
  if (isDigest(text)) return text;
  throw refuse(where, `${quote(text)} is not a digest of sha256 or sha512 in lower case`);
}

function parseSize(value: unknown, where: Pointer): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  // Nothing of 2^53 bytes exists, and a number beyond that is no longer exact.
  throw refuse(where, 'expected a size in bytes, an integer from 0 to 2^53-1');
}

function parseBase64(value: unknown, where: Pointer): string {
  const text = parseText(value, where);
  if (text.length % 4 === 0 && BASE64.test(text)) return text;
  throw refuse(where, 'expected base64 (RFC 4648, section 4)');
}

function parseText(value: unknown, where: Pointer): Bytes {
  if (typeof value === 'string') return value;
  throw refuse(where, value === undefined ? 'is required' : 'expected a string');
}

function optionalTexts(value: unknown, where: Pointer): readonly Bytes[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw refuse(where, 'expected an array of strings');
  return value.map((item: unknown, index) => parseText(item, `${where}/${index}`));
}

/** `null` is absent, as in Go. */
function optional<T>(
  value: unknown,
  where: Pointer,
  parse: (value: unknown, where: Pointer) => T,
): T | undefined {
  return value === undefined || value === null ? undefined : parse(value, where);
}

function refuse(where: Pointer, what: string): CaissonError {
  return new CaissonError(`${where || '/'}: ${what}`, { code: 'EDESCRIPTOR', provenance: [where] });
}
