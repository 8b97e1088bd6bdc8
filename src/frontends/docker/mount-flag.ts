// `--mount type=volume|bind|tmpfs,...`: one line of comma-separated values (RFC 4180), key=value each.

import type { Bytes } from '../../linux/bytes.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { parseBoolean } from '../number.ts';
import { bindOptions, PROPAGATIONS } from './bind-options.ts';
import { comesLater, flagSource, invalidArgument } from './flag-error.ts';
import { absoluteHostPath, destinationPath } from './mount-paths.ts';
import { sizeOption, tmpfsOptions } from './tmpfs-flag.ts';
import { volumeNameProblem } from './volume-name.ts';
import { type RequestedMount, requestVolume } from './volume-request.ts';

/** Keys that stand alone for true. */
const SWITCHES = [
  ...['readonly', 'ro', 'bind-nonrecursive', 'bind-create-src', 'chown', 'U', 'idmap'],
  'volume-nocopy',
];
/** podman's switches for mount flags. */
const WORDS = ['nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec', 'z', 'Z', 'tmpcopyup', 'notmpcopyup'];
const BIND_KEYS = ['bind-propagation', 'bind-nonrecursive', 'bind-recursive', 'bind-create-src', 'relabel'];
const TMPFS_KEYS = ['tmpfs-size', 'tmpfs-mode'];
/** Keys that may be there several times. */
const LISTS = ['volume-opt', 'volume-label'];
const VOLUME_KEYS = ['volume-driver', 'volume-nocopy', 'volume-subpath', ...LISTS];
const ALIASES: Readonly<Record<Bytes, Bytes>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  U: 'chown',
};
const KNOWN = new Set([
  ...['type', 'source', 'target', 'readonly', 'consistency', 'chown', 'idmap'],
  ...BIND_KEYS,
  ...TMPFS_KEYS,
  ...VOLUME_KEYS,
]);

/** Of a key that is there several times the values are joined by NUL bytes, which none has. */
type Fields = ReadonlyMap<Bytes, Bytes>;

/** One `--mount`. Throws docker's messages; type=image comes later. */
export function parseMount(text: Bytes, cwd: Bytes): RequestedMount {
  const source = flagSource('mount', text);
  try {
    const words: Bytes[] = [];
    const fields = readFields(text, words);
    const type = fields.get('type') ?? 'volume';
    if (type === 'image') throw comesLater(`${source}: type=${type}`, 'a later issue');
    if (type !== 'bind' && type !== 'tmpfs' && type !== 'volume')
      throw new RangeError(`mount type unknown: "${type}"`);
    const target = fields.get('target') ?? '';
    if (target === '') throw new RangeError('target is required');
    const destination = destinationPath(target);
    if (type === 'volume') return volume(destination, fields, words, source);
    if (type === 'tmpfs') return { mount: tmpfs(destination, fields, words), source, actions: [] };
    return { ...bind(destination, fields, words, cwd, source), source };
  } catch (error) {
    if (error instanceof RangeError) throw invalidArgument('mount', text, error.message);
    throw error;
  }
}

function readFields(text: Bytes, words: Bytes[]): Map<Bytes, Bytes> {
  const fields = new Map<Bytes, Bytes>();
  for (const field of splitCsv(text)) {
    const equals = field.indexOf('=');
    const given = equals < 0 ? field : field.slice(0, equals);
    const key = ALIASES[given] ?? given.toLowerCase();
    if (equals < 0) {
      if (WORDS.includes(given)) words.push(given);
      else if (SWITCHES.includes(given) || SWITCHES.includes(key)) fields.set(key, 'true');
      else throw new RangeError(`invalid field '${field}' must be a key=value pair`);
      continue;
    }
    if (!KNOWN.has(key)) throw new RangeError(`unexpected key '${given}' in '${field}'`);
    const before = LISTS.includes(key) ? fields.get(key) : undefined;
    const value = field.slice(equals + 1);
    fields.set(key, before === undefined ? value : `${before}\0${value}`);
  }
  return fields;
}

function bind(
  destination: Bytes,
  fields: Fields,
  words: readonly Bytes[],
  cwd: Bytes,
  flag: string,
): Omit<RequestedMount, 'source'> {
  refuseKeys(fields, TMPFS_KEYS, 'tmpfs-*', 'bind');
  refuseKeys(fields, VOLUME_KEYS, 'volume-*', 'bind');
  const from = fields.get('source') ?? '';
  if (from === '')
    throw new RangeError('invalid mount config for type "bind": field Source must not be empty');
  const path = absoluteHostPath(from, cwd);
  const options = [...words];
  const propagation = fields.get('bind-propagation');
  if (propagation !== undefined) {
    if (!PROPAGATIONS.includes(propagation)) throw new RangeError(`invalid propagation mode: ${propagation}`);
    options.push(propagation);
  }
  if (switched(fields, 'bind-nonrecursive')) options.push('bind');
  options.push(...recursive(fields.get('bind-recursive'), switched(fields, 'readonly')));
  if (switched(fields, 'chown')) options.push('U');
  if (switched(fields, 'idmap')) options.push('idmap');
  if (fields.has('relabel')) options.push(fields.get('relabel') === 'private' ? 'Z' : 'z');
  const parsed = bindOptions(options, path, fields.get('bind-recursive') === 'writable');
  const kinds = [...(switched(fields, 'bind-create-src') ? (['create'] as const) : []), ...parsed.actions];
  return {
    mount: { destination, type: 'bind', source: path, options: parsed.options },
    actions: kinds.map((kind) => ({ kind, path, source: flag })),
  };
}

function volume(destination: Bytes, fields: Fields, words: readonly Bytes[], flag: string): RequestedMount {
  refuseKeys(fields, TMPFS_KEYS, 'tmpfs-*', 'volume');
  refuseKeys(fields, BIND_KEYS, 'bind-*', 'volume');
  const name = fields.get('source') || undefined;
  const problem = name === undefined ? undefined : volumeNameProblem(name);
  if (problem !== undefined) throw new RangeError(problem);
  refuseDriver(fields.get('volume-driver'));
  const options = [...words];
  if (switched(fields, 'readonly')) options.push('ro');
  if (switched(fields, 'chown')) options.push('U');
  if (switched(fields, 'idmap')) options.push('idmap');
  return requestVolume(destination, flag, {
    name,
    words: options,
    copy: !switched(fields, 'volume-nocopy'),
    subpath: subpath(fields.get('volume-subpath'), name),
    driverOptions: pairs(fields.get('volume-opt')),
    labels: pairs(fields.get('volume-label')),
  });
}

/** There is one driver. Throws RangeError with docker's words for another. */
export function refuseDriver(driver: Bytes | undefined): void {
  if (driver === undefined || driver === '' || driver === 'local') return;
  throw new RangeError(`error looking up volume plugin ${driver}: plugin "${driver}" not found`);
}

/** A path inside of the volume, as docker wants it: relative, and not above. It is resolved inside by the kernel. */
function subpath(text: Bytes | undefined, name: Bytes | undefined): Bytes | undefined {
  if (text === undefined || text === '') return undefined;
  if (name === undefined) throw new RangeError('must not set Subpath when using anonymous volumes');
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (text.startsWith('/') || parts.includes('..') || parts.length === 0)
    throw new RangeError('subpath must be a relative path within the volume');
  return parts.join('/');
}

/** `key=value` each, `key` alone for an empty one. */
function pairs(text: Bytes | undefined): Record<Bytes, Bytes> {
  const lines = text === undefined ? [] : text.split('\0');
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf('=');
      return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

/** `bind-recursive` of docker 25: enabled, disabled, writable (read-only at the top alone), readonly (all or fail). */
function recursive(mode: Bytes | undefined, readonly: boolean): Bytes[] {
  switch (mode) {
    case undefined:
    case 'enabled':
    case 'writable':
    case 'readonly':
      return readonly ? ['ro'] : [];
    case 'disabled':
      return readonly ? ['bind', 'ro'] : ['bind'];
    default:
      throw new RangeError(
        `invalid value for bind-recursive: ${mode} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function tmpfs(destination: Bytes, fields: Fields, words: readonly Bytes[]): Mount {
  refuseKeys(fields, BIND_KEYS, 'bind-*', 'tmpfs');
  refuseKeys(fields, VOLUME_KEYS, 'volume-*', 'tmpfs');
  if (fields.has('source'))
    throw new RangeError('invalid mount config for type "tmpfs": field Source must not be specified');
  const options = [...words];
  const size = fields.get('tmpfs-size');
  if (size !== undefined) options.push(sizeOption(size));
  const mode = fields.get('tmpfs-mode');
  if (mode !== undefined) {
    if (!/^0?[0-7]{1,4}$/.test(mode)) throw new RangeError(`invalid value for tmpfs-mode: ${mode}`);
    options.push(`mode=${mode}`);
  }
  if (switched(fields, 'readonly')) options.push('ro');
  return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(options) };
}

function refuseKeys(fields: Fields, keys: readonly Bytes[], title: string, type: string): void {
  if (keys.some((key) => fields.has(key))) {
    throw new RangeError(`cannot mix '${title}' options with mount type '${type}'`);
  }
}

function switched(fields: Fields, key: Bytes): boolean {
  const text = fields.get(key);
  if (text === undefined) return false;
  const on = parseBoolean(text);
  if (on === undefined) throw new RangeError(`invalid value for ${key}: ${text}`);
  return on;
}

/** The fields of one line of comma-separated values; a quoted field may hold commas, `""` is a quote. */
export function splitCsv(text: Bytes): Bytes[] {
  const fields: Bytes[] = [];
  for (let at = 0; ; ) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      fields.push(comma < 0 ? text.slice(at) : text.slice(at, comma));
      if (comma < 0) return fields;
      at = comma + 1;
      continue;
    }
    const match = /^"((?:[^"]|"")*)"(,|$)/.exec(text.slice(at));
    if (match === null) throw new RangeError('a quoted field that does not end');
    fields.push((match[1] as string).replaceAll('""', '"'));
    if (match[2] === '') return fields;
    at += match[0].length;
  }
}
