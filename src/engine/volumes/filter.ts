// `--filter` of volumes: dangling, driver, label, name.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { VolumeUsers } from './in-use.ts';
import type { Volume } from './volume.ts';

type Test = (volume: Volume) => boolean;

/**
 * The volumes that fit: labels must all be there, of other filters of one name one is enough. `allowed` are the filters
 * of the command. Throws CaissonError `EUSAGE` for another one.
 */
export function filterVolumes<T extends Volume>(
  volumes: readonly T[],
  filters: readonly Bytes[],
  users: VolumeUsers,
  allowed: readonly Bytes[],
): T[] {
  const groups = new Map<Bytes, Test[]>();
  for (const filter of filters) {
    const { name, value } = splitFilter(filter);
    if (!allowed.includes(name))
      throw new CaissonError(`invalid filter '${name}'`, { code: 'EUSAGE', exitCode: 1 });
    const key = name.startsWith('label') ? filter : name;
    groups.set(key, [...(groups.get(key) ?? []), testFor(name, value, users)]);
  }
  return volumes.filter((volume) =>
    [...groups.values()].every((tests) => tests.some((test) => test(volume))),
  );
}

/** `name=value`; the value is empty without `=`. */
export function splitFilter(filter: Bytes): { readonly name: Bytes; readonly value: Bytes } {
  const equals = filter.indexOf('=');
  return equals < 0
    ? { name: filter, value: '' }
    : { name: filter.slice(0, equals), value: filter.slice(equals + 1) };
}

/** Throws CaissonError `EUSAGE` for another word. */
export function filterSwitch(name: Bytes, value: Bytes): boolean {
  if (/^(true|1)$/i.test(value)) return true;
  if (/^(false|0)$/i.test(value)) return false;
  throw new CaissonError(`invalid filter '${name}=[${value}]'`, { code: 'EUSAGE', exitCode: 1 });
}

function testFor(name: Bytes, value: Bytes, users: VolumeUsers): Test {
  switch (name) {
    case 'dangling': {
      const wanted = filterSwitch(name, value);
      return (volume) => !users.has(volume.name) === wanted;
    }
    case 'driver':
      return () => value === 'local';
    case 'label':
      return hasLabel(value);
    case 'label!': {
      const has = hasLabel(value);
      return (volume) => !has(volume);
    }
    case 'name':
      return (volume) => volume.name.includes(value);
    default:
      return () => true;
  }
}

function hasLabel(text: Bytes): Test {
  const { name, value } = splitFilter(text);
  return ({ labels }) => Object.hasOwn(labels, name) && (!text.includes('=') || labels[name] === value);
}
