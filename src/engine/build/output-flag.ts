// `--output`: where the result of a build goes, and in which form.
import { csvFields } from '../../build/dockerfile/csv.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Compression } from '../../spec/media-types.ts';

export interface BuildOutput {
  readonly type: 'image' | 'local' | 'tar' | 'oci' | 'docker' | 'cacheonly';
  /** A path, `-` for standard output; empty for images of the store. */
  readonly destination: Bytes;
  /** Names beside those of `-t`. */
  readonly names: readonly Bytes[];
  readonly compression: Compression;
  readonly level: number | undefined;
}

const TYPES = ['image', 'local', 'tar', 'oci', 'docker', 'cacheonly'] as const;
const COMPRESSIONS: Readonly<Record<string, Compression>> = {
  uncompressed: 'none',
  gzip: 'gzip',
  zstd: 'zstd',
};

function wrong(text: string, why: string): CaissonError {
  return new CaissonError(utf8ToBytes(`invalid --output ${text}: ${why}`), { code: 'EUSAGE' });
}

/** `type=local,dest=DIR`, or a path alone: a directory, `-` for a tar archive. Throws CaissonError `EUSAGE`. */
export function parseOutput(bytes: Bytes): BuildOutput {
  const text = bytesToUtf8(bytes);
  const plain = { names: [], compression: 'gzip', level: undefined } as const;
  if (text === '-') return { ...plain, type: 'tar', destination: '-' };
  if (!text.includes('=')) return { ...plain, type: 'local', destination: bytes };
  const found = fieldsOf(text);
  const type = TYPES.find((each) => each === found.get('type'));
  if (type === undefined) throw wrong(text, `type must be one of ${TYPES.join(', ')}`);
  const destination = utf8ToBytes(found.get('dest') ?? found.get('destination') ?? '');
  if (type === 'local' && (destination === '' || destination === '-'))
    throw wrong(text, 'dest must be a directory');
  const compression = COMPRESSIONS[found.get('compression') ?? 'gzip'];
  if (compression === undefined) throw wrong(text, 'compression must be uncompressed, gzip or zstd');
  const level = found.get('compression-level');
  if (level !== undefined && !/^\d{1,2}$/.test(level)) throw wrong(text, 'compression-level is no number');
  const names = (found.get('name') ?? '').split(',').filter((name) => name !== '');
  if (found.get('push') === 'true') throw wrong(text, 'push: use `caisson push` after the build');
  const isFile = type === 'tar' || type === 'oci' || type === 'docker';
  return {
    type,
    destination: isFile && destination === '' ? '-' : destination,
    names: names.map(utf8ToBytes),
    compression,
    level: level === undefined ? undefined : Number(level),
  };
}

const KEYS = new Set([
  'type',
  'dest',
  'destination',
  'name',
  'compression',
  'compression-level',
  'push',
  'tar',
]);

function fieldsOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let fields: string[];
  try {
    fields = csvFields(text);
  } catch (error) {
    throw wrong(text, error instanceof Error ? error.message : '');
  }
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = equals < 0 ? field : field.slice(0, equals);
    if (equals < 0 || !KEYS.has(key)) throw wrong(text, `unexpected ${key}`);
    found.set(key, field.slice(equals + 1));
  }
  return found;
}
