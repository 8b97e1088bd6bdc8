// The files of registries.conf: which are read, and in what order (containers-registries.conf(5), .conf.d(5)).

import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { codeOf } from '../retry.ts';
import {
  EMPTY_CONF,
  mergeRegistriesConf,
  type RegistriesConf,
  readRegistriesConf,
  type Table,
} from './registries-conf.ts';

const SYSTEM_FILE = '/etc/containers/registries.conf';
const SYSTEM_FOLDER = '/etc/containers/registries.conf.d';
const FILE_LIMIT = 1 << 20;

export interface RegistriesPlaces {
  readonly variable: (name: string) => string | undefined;
  /** The caller's home directory. */
  readonly home?: Bytes;
}

/**
 * Reads registries.conf: the file that CONTAINERS_REGISTRIES_CONF names, else the user's, else the system's; then
 * drop-in files in the order of their names, and the machine-made short-name-aliases.conf last. The TOML library is
 * loaded when there is a file. Throws CaissonError `EREGISTRIESCONF` with file and line.
 */
export async function loadRegistriesConf(port: Port, places: RegistriesPlaces): Promise<RegistriesConf> {
  let conf = EMPTY_CONF;
  for (const file of filesOf(port, places)) {
    const text = contentOf(port, file);
    if (text === undefined) continue;
    conf = mergeRegistriesConf(conf, readRegistriesConf(await parseToml(text, file), bytesToUtf8(file)));
  }
  return conf;
}

function contentOf(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file, FILE_LIMIT);
  } catch (error) {
    const what = `${bytesToUtf8(file)} cannot be read (${codeOf(error)})`;
    throw new CaissonError(what, { code: 'EREGISTRIESCONF', cause: error });
  }
}

function filesOf(port: Port, { variable, home }: RegistriesPlaces): Bytes[] {
  const named = variable('CONTAINERS_REGISTRIES_CONF') || variable('REGISTRIES_CONFIG_PATH');
  if (named !== undefined && named !== '') return [named];
  const own = home === undefined ? undefined : `${home}/.config/containers`;
  const hasOwn = own !== undefined && port.stat(`${own}/registries.conf`)?.type === 'file';
  const main = hasOwn ? `${own}/registries.conf` : SYSTEM_FILE;
  const dropIns = [
    ...(hasOwn ? [] : dropInsOf(port, SYSTEM_FOLDER)),
    ...(own === undefined ? [] : dropInsOf(port, `${own}/registries.conf.d`)),
  ];
  const cache = port.uid === 0 ? '/var/cache/containers' : `${home ?? ''}/.cache/containers`;
  return [main, ...dropIns, `${cache}/short-name-aliases.conf`];
}

function dropInsOf(port: Port, folder: Bytes): Bytes[] {
  const names = port.list(folder).filter((name) => name.endsWith('.conf'));
  return [...names].sort((a, b) => (a < b ? -1 : 1)).map((name) => `${folder}/${name}`);
}

async function parseToml(text: Bytes, file: Bytes): Promise<Table> {
  const { parse } = await import('smol-toml');
  try {
    return parse(bytesToUtf8(text));
  } catch (error) {
    const [line, column] =
      typeof error === 'object' && error !== null && 'line' in error && 'column' in error
        ? [error.line, error.column]
        : [1, 1];
    const what = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new CaissonError(`${bytesToUtf8(file)}:${line}:${column}: ${what}`, {
      code: 'EREGISTRIESCONF',
      sources: [`${bytesToUtf8(file)}:${line}`],
    });
  }
}
