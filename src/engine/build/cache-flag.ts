// `--cache-from` and `--cache-to`: where a cache of build results is.
import { csvFields } from '../../build/dockerfile/csv.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseReference, type Reference } from '../../spec/reference.ts';

/** Where a cache is. */
export interface CachePlace {
  readonly reference: Reference;
  /** `max`: results of all stages; `min`: of the result alone. */
  readonly mode: 'min' | 'max';
}

/** `type=registry,ref=NAME[,mode=max]`, or a name alone. Throws CaissonError `EUSAGE`. */
export function parseCachePlace(flag: string, bytes: Bytes): CachePlace {
  const text = bytesToUtf8(bytes);
  const wrong = (why: string) =>
    new CaissonError(utf8ToBytes(`invalid --${flag} ${text}: ${why}`), { code: 'EUSAGE' });
  if (!text.includes('=')) return { reference: parseReference(bytes), mode: 'min' };
  const fields = new Map(
    csvFields(text).map((field): [string, string] => {
      const equals = field.indexOf('=');
      return equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
  if (fields.get('type') !== 'registry')
    throw wrong('the type must be registry: the local cache is used always');
  const mode = fields.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw wrong('mode must be min or max');
  const ref = fields.get('ref') ?? '';
  if (ref === '') throw wrong('ref is missing');
  return { reference: parseReference(utf8ToBytes(ref)), mode };
}
