// Where the store is: a flag, the environment, the configuration file, or the place that caller has by default.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Configuration, readConfiguration } from './configuration.ts';

export interface StoreLocation {
  /** Absolute. */
  readonly root: Bytes;
  /** `off` gives up fsync: for tests and machines that are thrown away. Default `full`. */
  readonly durability?: 'full' | 'off';
}

/** Root's. */
const SYSTEM_ROOT = '/var/lib/caisson';

/**
 * The store of this caller: `--data-root`, else CAISSON_DATA_ROOT, else `data-root` of the configuration file, else
 * /var/lib/caisson for root and $XDG_DATA_HOME/caisson (~/.local/share/caisson) for others. Throws CaissonError `EUSAGE`
 * for a relative path, `ECONFIG` for a configuration file that is wrong.
 */
export async function storeLocation(
  port: Port,
  flag?: Bytes,
  configuration?: Configuration,
): Promise<StoreLocation> {
  const { storage } = configuration ?? (await readConfiguration(port));
  const durability = storage.durability ?? 'full';
  const variable = environmentVariable(port, 'CAISSON_DATA_ROOT');
  if (flag !== undefined) return { root: absolute(port, flag, '--data-root'), durability };
  if (variable !== undefined) return { root: absolute(port, variable, 'CAISSON_DATA_ROOT'), durability };
  return { root: storage.dataRoot ?? defaultRoot(port), durability };
}

/** Empty is unset, as for XDG's. */
export function environmentVariable(port: Port, name: string): Bytes | undefined {
  const value = port.environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  return value === '' ? undefined : value;
}

/** From the command line and the environment a relative path is of the working directory. */
function absolute(port: Port, path: Bytes, source: string): Bytes {
  if (path === '' || path.includes('\0')) {
    throw new CaissonError(`${source}: expected a path`, { code: 'EUSAGE', sources: [source] });
  }
  return clean(path.startsWith('/') ? path : `${port.cwd}/${path}`);
}

/** Without empty parts and `.`; `..` stays, for it may follow a link. */
function clean(path: Bytes): Bytes {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

function defaultRoot(port: Port): Bytes {
  if (port.uid === 0) return SYSTEM_ROOT;
  const data = environmentVariable(port, 'XDG_DATA_HOME');
  // basedir-spec: a relative path is invalid and to be ignored.
  if (data?.startsWith('/')) return `${clean(data)}/caisson`;
  const home = homeOf(port);
  if (home !== undefined) return `${clean(home)}/.local/share/caisson`;
  throw new CaissonError('there is no home directory for the store of images', {
    code: 'EUSAGE',
    details: ['set HOME or XDG_DATA_HOME, or choose a directory with --data-root'],
  });
}

/** HOME, where it is absolute. */
export function homeOf(port: Port): Bytes | undefined {
  const home = environmentVariable(port, 'HOME');
  return home?.startsWith('/') ? home : undefined;
}
