// `--filter` of lists of images: dangling, label, reference, before, since, until.

import { parseDuration } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, familiar, familiarName } from '../../spec/reference.ts';
import { requireImage, type StoredImage } from './stored-image.ts';

type Test = (image: StoredImage) => boolean;

/**
 * The images that fit all filters; of one name several must not fit all but any. `now` is in milliseconds. Throws
 * CaissonError `EUSAGE` for an unknown filter, `ENOTFOUND` for an image that one names.
 */
export function filterImages(
  images: readonly StoredImage[],
  filters: readonly Bytes[],
  now: number,
): StoredImage[] {
  const groups = new Map<Bytes, Test[]>();
  for (const filter of filters) {
    const equals = filter.indexOf('=');
    const name = equals < 0 ? filter : filter.slice(0, equals);
    const value = equals < 0 ? '' : filter.slice(equals + 1);
    const test = testFor(name, value, images, now);
    // Labels must all be there (docker's), other filters are alternatives.
    const key = name === 'label' || name === 'label!' ? filter : name;
    groups.set(key, [...(groups.get(key) ?? []), test]);
  }
  return images.filter((image) => [...groups.values()].every((tests) => tests.some((test) => test(image))));
}

function testFor(name: Bytes, value: Bytes, images: readonly StoredImage[], now: number): Test {
  switch (name) {
    case 'dangling': {
      if (!/^(true|false|0|1)$/.test(value)) throw invalid(name, value);
      const wanted = value === 'true' || value === '1';
      return (image) => isDangling(image) === wanted;
    }
    case 'label':
      return hasLabel(value);
    case 'label!': {
      const has = hasLabel(value);
      return (image) => !has(image);
    }
    case 'reference': {
      const pattern = glob(value);
      return ({ names }) =>
        names.some((each) =>
          [familiar(each), familiarName(each), canonical(each)].some((text) => pattern.test(text)),
        );
    }
    case 'before':
    case 'since': {
      const other = createdAt(requireImage(images, value).image);
      return (image) => (name === 'before' ? createdAt(image) < other : createdAt(image) > other);
    }
    case 'until': {
      const limit = untilTime(value, now);
      return (image) => createdAt(image) < limit;
    }
    default:
      throw new CaissonError(`invalid filter '${name}'`, { code: 'EUSAGE', exitCode: 1 });
  }
}

/** Without a name that has a tag. */
export function isDangling({ names }: StoredImage): boolean {
  return names.every(({ tag }) => tag === undefined);
}

/** Milliseconds; 0 for an image that does not say. */
export function createdAt({ config }: StoredImage): number {
  return Date.parse(config.created ?? '') || 0;
}

function hasLabel(text: Bytes): Test {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  return ({ config: { config } }) => {
    const found = Object.hasOwn(config.labels, key) ? config.labels[key] : undefined;
    return found !== undefined && (equals < 0 || found === text.slice(equals + 1));
  };
}

/** `*` and `?` stop at slashes, as Go's path.Match. Linear: each is one class of characters. */
function glob(pattern: Bytes): RegExp {
  const parts = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  return new RegExp(`^${parts}$`);
}

/** A duration before now, or a time. Milliseconds since 1970. */
export function untilTime(text: Bytes, now: number): number {
  const duration = parseDuration(text);
  if (duration !== undefined && !/^[0-9]{5,}$/.test(text)) return now - duration;
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(seconds)) throw invalid('until', text);
  return seconds;
}

function invalid(name: Bytes, value: Bytes): CaissonError {
  return new CaissonError(`invalid filter '${name}=[${value}]'`, { code: 'EUSAGE', exitCode: 1 });
}
