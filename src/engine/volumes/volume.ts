// What is known of a volume, and the file beside its data that keeps it: volumes/<name>/volume.json.
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { type JsonValue, parseJson, stringifyJson } from '../../spec/json.ts';

/** A volume of the local driver, the only one. */
export interface Volume {
  readonly name: Bytes;
  /** Of the driver: `type`, `o`, `device` (driver-options.ts). */
  readonly options: Readonly<Record<Bytes, Bytes>>;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  /** Made for one container that named none. */
  readonly anonymous: boolean;
  /** RFC 3339, seconds. */
  readonly createdAt: string;
}

/** A volume and where it is. */
export interface PlacedVolume extends Volume {
  /** The directory of its files. */
  readonly mountpoint: Bytes;
}

/** The label that docker gives anonymous volumes. */
const ANONYMOUS = 'com.docker.volume.anonymous';

/** The content of volume.json, in the fields of docker's API. */
export function volumeJson({ name, options, labels, anonymous, createdAt }: Volume): Bytes {
  const all = anonymous ? { ...labels, [ANONYMOUS]: '' } : labels;
  return `${stringifyJson({ Name: name, Driver: 'local', CreatedAt: createdAt, Labels: all, Options: options })}\n`;
}

/** Reads it. Throws CaissonError `EVOLUME` for what is damaged. */
export function parseVolume(text: Bytes, name: Bytes): Volume {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw damaged(name, cause);
  }
  if (!isObject(value) || value.Name !== name || typeof value.CreatedAt !== 'string') throw damaged(name);
  const labels = texts(value.Labels, name);
  const anonymous = Object.hasOwn(labels, ANONYMOUS);
  return { name, options: texts(value.Options, name), labels, anonymous, createdAt: value.CreatedAt };
}

function texts(value: unknown, name: Bytes): Record<Bytes, Bytes> {
  if (value === undefined) return {};
  if (!isObject(value)) throw damaged(name);
  const entries = Object.entries(value).map(([key, text]): [Bytes, Bytes] => {
    if (typeof text !== 'string') throw damaged(name);
    return [key, text];
  });
  return Object.fromEntries(entries);
}

function damaged(name: Bytes, cause?: unknown): CaissonError {
  return new CaissonError(`the record of volume ${name} (volume.json) is damaged`, {
    code: 'EVOLUME',
    exitCode: 1,
    details: ['its files are left alone; `caisson volume rm` takes it away'],
    cause,
  });
}

/** docker's `volume inspect`. */
export function inspection({ name, options, labels, createdAt, mountpoint }: PlacedVolume): JsonValue {
  const orNull = (map: Readonly<Record<Bytes, Bytes>>) => (Object.keys(map).length === 0 ? null : map);
  return {
    CreatedAt: createdAt,
    Driver: 'local',
    Labels: orNull(labels),
    Mountpoint: mountpoint,
    Name: name,
    Options: orNull(options),
    Scope: 'local',
  };
}

/** docker's words for a volume that is not there. */
export function noSuchVolume(name: Bytes): CaissonError {
  return new CaissonError(`get ${name}: no such volume`, { code: 'ENOTFOUND', exitCode: 1 });
}
