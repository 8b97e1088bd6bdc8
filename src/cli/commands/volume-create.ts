// `caisson volume create`.
import { refuseDriver } from '../../frontends/docker/mount-flag.ts';
import { list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagList, flagText } from '../command.ts';
import { ending } from '../image-shop.ts';
import { openStore } from '../volume-store.ts';

export const command: Command = {
  name: 'volume create',
  summary: 'Create a volume',
  usage: '[OPTIONS] [VOLUME]',
  description:
    "The options are those of docker's local driver: a directory of caisson's, a directory of the host\n" +
    '(type=none, o=bind, device=DIR), or a tmpfs (type=tmpfs, o=size=100m).',
  examples: [
    'caisson volume create data',
    'caisson volume create --opt type=none --opt o=bind --opt device=/srv/data data',
    'caisson volume create --opt type=tmpfs --opt o=size=100m,mode=1777 scratch',
  ],
  flags: [
    value('driver', 'Specify volume driver name', { short: 'd', fallback: 'local', completes: ['local'] }),
    list('label', 'Set metadata for a volume'),
    list('opt', 'Set driver specific options', { short: 'o', takes: 'map' }),
  ],
  arguments: [0, 1],
  run: ending(async (parsed, context) => {
    try {
      refuseDriver(flagText(parsed, 'driver'));
    } catch (error) {
      throw error instanceof RangeError
        ? new CaissonError(`create: ${error.message}`, { code: 'EUSAGE', exitCode: 1 })
        : error;
    }
    const store = await openStore(context);
    const [given] = parsed.positionals;
    const random = [...context.port.random(32)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const name = given ?? random;
    const options = pairs(flagList(parsed, 'opt'));
    const { volume, made } = await store.create({
      name,
      options,
      labels: pairs(flagList(parsed, 'label')),
      anonymous: given === undefined,
    });
    if (!made && !sameOptions(volume.options, options))
      context.warn(`volume ${name} is there already, with other options: it stays as it is`);
    context.out(name);
  }),
};

/** `key=value` each, `key` alone for an empty value. */
function pairs(words: readonly Bytes[]): Record<Bytes, Bytes> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}

function sameOptions(a: Readonly<Record<Bytes, Bytes>>, b: Readonly<Record<Bytes, Bytes>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
