// `--tmpfs DESTINATION[:OPTIONS]` and the options of tmpfs(5).

import type { Bytes } from '../../linux/bytes.ts';
import { parseSize } from '../number.ts';
import { flagSource, invalidArgument } from './flag-error.ts';
import { destinationPath } from './mount-paths.ts';
import type { RequestedMount } from './volume-request.ts';

const FLAGS = [
  ['ro', 'rw'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
  ['noexec', 'exec'],
  ['noatime', 'relatime', 'strictatime'],
  ['nodiratime', 'diratime'],
  ['sync', 'async'],
  ['tmpcopyup', 'notmpcopyup'],
  ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'],
] as const;

const VALUES: Readonly<Record<Bytes, RegExp>> = {
  size: /^[0-9]+%$|^[0-9]+[kKmMgG]?$/,
  mode: /^[0-7]{1,5}$/,
  uid: /^[0-9]{1,10}$/,
  gid: /^[0-9]{1,10}$/,
  nr_inodes: /^[0-9]+[kKmMgG]?$/,
  nr_blocks: /^[0-9]+[kKmMgG]?$/,
  mpol: /^[a-z0-9=:,-]+$/,
};

/** docker's: no set-user-id, no devices, no programs, unless asked for. */
const DEFAULTS = ['noexec', 'nosuid', 'nodev'] as const;

/** One `--tmpfs`. Throws docker's messages. */
export function parseTmpfs(text: Bytes): RequestedMount {
  const colon = text.indexOf(':');
  const destination = colon < 0 ? text : text.slice(0, colon);
  const words = colon < 0 ? [] : text.slice(colon + 1).split(',');
  try {
    return {
      mount: {
        destination: destinationPath(destination),
        type: 'tmpfs',
        source: 'tmpfs',
        options: tmpfsOptions(words.filter((word) => word !== '')),
      },
      source: flagSource('tmpfs', text),
      actions: [],
    };
  } catch (error) {
    if (error instanceof RangeError) throw invalidArgument('tmpfs', text, error.message);
    throw error;
  }
}

/** Options for the specification: docker's defaults, replaced by their opposites. Throws RangeError with the reason. */
export function tmpfsOptions(words: readonly Bytes[]): Bytes[] {
  const invalid = words.filter((word) => !isOption(word));
  if (invalid.length > 0) throw new RangeError(`invalid tmpfs option ${JSON.stringify(invalid)}`);
  const options: Bytes[] = DEFAULTS.filter((word) => !words.includes(word.slice(2)));
  for (const word of words) {
    const group = FLAGS.find((each) => (each as readonly Bytes[]).includes(word)) as
      | readonly Bytes[]
      | undefined;
    const other = group?.find((each) => each !== word && words.includes(each));
    if (other !== undefined) throw new RangeError(`conflicting options ${word} and ${other}`);
    const normal = word.startsWith('size=') ? `size=${word.slice(5).toLowerCase()}` : word;
    if (!options.includes(normal) && !['suid', 'dev', 'exec', 'notmpcopyup', 'async'].includes(word))
      options.push(normal);
  }
  return options;
}

function isOption(word: Bytes): boolean {
  const equals = word.indexOf('=');
  if (equals < 0) return FLAGS.some((group) => (group as readonly Bytes[]).includes(word));
  const name = word.slice(0, equals);
  return Object.hasOwn(VALUES, name) && (VALUES[name] as RegExp).test(word.slice(equals + 1));
}

/** The `size=` option of a size as `--mount tmpfs-size=` writes it. Throws RangeError. */
export function sizeOption(text: Bytes): Bytes {
  const size = parseSize(text);
  if (size === undefined) throw new RangeError(`invalid value for tmpfs-size: ${text}`);
  return `size=${size}`;
}
