// The configuration file caisson.toml: where images are stored and how (docs/store.md).
//
// The system's file first, then the user's over it, key by key. Unknown keys are refused: a misspelled one would
// otherwise be a setting that does nothing.
import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

/** What the files say; absent where they say nothing. */
export interface Configuration {
  readonly storage: {
    /** Absolute. */
    readonly dataRoot?: Bytes;
    readonly durability?: 'full' | 'off';
  };
}

const SYSTEM_FILE = '/etc/caisson/caisson.toml';
const LIMIT = 1 << 20;

/** The files that are read, the one that holds against the others last. */
export function configurationFiles(port: Port): Bytes[] {
  const variable = (name: string) =>
    port.environment.find((entry) => entry.startsWith(`${name}=/`))?.slice(name.length + 1);
  const chosen = variable('CAISSON_CONFIG');
  if (chosen !== undefined) return [chosen];
  const home = variable('HOME');
  const directory = variable('XDG_CONFIG_HOME') ?? (home === undefined ? undefined : `${home}/.config`);
  return directory === undefined ? [SYSTEM_FILE] : [SYSTEM_FILE, `${directory}/caisson/caisson.toml`];
}

/** Throws CaissonError `ECONFIG` with file and key, or line, for a file that is wrong. */
export async function readConfiguration(port: Port): Promise<Configuration> {
  const storage: { dataRoot?: Bytes; durability?: 'full' | 'off' } = {};
  for (const file of configurationFiles(port)) {
    const text = readFile(port, file);
    if (text !== undefined) Object.assign(storage, (await parseConfiguration(text, file)).storage);
  }
  return { storage };
}

function readFile(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file, LIMIT);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CaissonError(`${file} cannot be read: ${reason}`, {
      code: 'ECONFIG',
      details: [
        'the configuration of a user lies below HOME or XDG_CONFIG_HOME: set them to directories of their own',
      ],
      cause: error,
    });
  }
}

/** Throws CaissonError `ECONFIG`. */
export async function parseConfiguration(text: Bytes, file: Bytes): Promise<Configuration> {
  const { parse } = await import('smol-toml');
  let value: Readonly<Record<string, unknown>>;
  try {
    value = parse(bytesToUtf8(text));
  } catch (error) {
    throw wrong(file, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
  }
  refuseUnknown(value, ['storage'], '', file);
  const storage = tableOf(value, 'storage', file);
  refuseUnknown(storage, ['data-root', 'durability'], 'storage.', file);
  const root = textOf(storage, 'data-root', file);
  if (root !== undefined && !root.startsWith('/'))
    throw wrong(file, 'storage.data-root: expected an absolute path');
  const durability = textOf(storage, 'durability', file);
  if (durability !== undefined && durability !== 'full' && durability !== 'off')
    throw wrong(file, 'storage.durability: expected "full" or "off"');
  return {
    storage: {
      ...(root === undefined ? {} : { dataRoot: utf8ToBytes(root) }),
      ...(durability === undefined ? {} : { durability }),
    },
  };
}

type Table = Readonly<Record<string, unknown>>;

function refuseUnknown(table: Table, known: readonly string[], prefix: string, file: Bytes): void {
  for (const key of Object.keys(table)) {
    if (known.includes(key)) continue;
    throw wrong(
      file,
      `${prefix}${key}: no such setting; there is ${known.map((one) => prefix + one).join(', ')}`,
    );
  }
}

function tableOf(table: Table, key: string, file: Bytes): Table {
  const value = table[key];
  if (value === undefined) return {};
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date))
    return value as Table;
  throw wrong(file, `${key}: expected a table`);
}

function textOf(table: Table, key: string, file: Bytes): string | undefined {
  const value = table[key];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(file, `storage.${key}: expected a string`);
}

function wrong(file: Bytes, what: string): CaissonError {
  return new CaissonError(`${file}: ${what}`, { code: 'ECONFIG', sources: [file] });
}
