// What a command line flag is, as data: its name, what it takes, and what help says about it.

/** `boolean` takes a value only after `=`; `value` keeps the last one, `list` all of them. */
export type FlagType = 'boolean' | 'value' | 'list';

/** A flag as the grammar, the help text, the completion and the manual read it. */
export interface Flag<Name extends string = string, Type extends FlagType = FlagType> {
  readonly name: Name;
  readonly type: Type;
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** What help calls the value: `bytes`, `duration`, ...; none for a boolean. */
  readonly takes?: string;
  /** What holds without the flag, for help only. */
  readonly fallback?: string;
  /** Heading of the group in help; the ungrouped come first. */
  readonly group?: string;
  /** Words for completion, or `file` or `directory`. */
  readonly completes?: readonly string[] | 'file' | 'directory';
  /** Parsed, but refused by name: what brings it, `networks (issue 6)`. */
  readonly later?: string;
}

/** What a constructor below takes beside name and help. */
export type FlagOptions = Omit<Flag, 'name' | 'type' | 'help'>;

/** `--name`, `--name=false`. */
export function boolean<const Name extends string>(
  name: Name,
  help: string,
  options: FlagOptions = {},
): Flag<Name, 'boolean'> {
  return { name, type: 'boolean', help, ...options };
}

/** `--name VALUE`; of several the last one holds. */
export function value<const Name extends string>(
  name: Name,
  help: string,
  options: FlagOptions = {},
): Flag<Name, 'value'> {
  return { name, type: 'value', help, takes: 'string', ...options };
}

/** `--name VALUE`, as often as wanted. */
export function list<const Name extends string>(
  name: Name,
  help: string,
  options: FlagOptions = {},
): Flag<Name, 'list'> {
  return { name, type: 'list', help, takes: 'list', ...options };
}

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

interface ValueOf {
  readonly boolean: boolean;
  readonly value: string;
  readonly list: readonly string[];
}

/** The values of a table of flags as an object: `--cap-add` is `capAdd`; values are byte strings as they were typed. */
export type FlagValues<Table extends readonly Flag[]> = {
  readonly [F in Table[number] as Camel<F['name']>]?: ValueOf[F['type']];
};

/** What a parser found: flag name to value. */
export type RawFlags = ReadonlyMap<string, boolean | string | readonly string[]>;

/** The values in `raw` of the flags of `table`, under their camel-case names. */
export function flagValues<const Table extends readonly Flag[]>(
  table: Table,
  raw: RawFlags,
): FlagValues<Table> {
  const values: Record<string, boolean | string | readonly string[]> = {};
  for (const flag of table) {
    const found = raw.get(flag.name);
    if (found !== undefined) values[camelCase(flag.name)] = found;
  }
  // The grammar has put a value of the flag's own type under each name.
  return values as FlagValues<Table>;
}

/** `cap-add` as `capAdd`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
