// registries.conf (containers-registries.conf(5)): its model, and how a file becomes one.

import { CaissonError } from '../../spec/error.ts';
import { isShortName } from '../../spec/reference.ts';

export type MirrorUse = 'all' | 'digest-only' | 'tag-only';

export interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  /** For which references it may be asked. */
  readonly use: MirrorUse;
}

/** One `[[registry]]`. */
export interface RegistryRule {
  /** `host[:port][/path][:tag|@digest]` or `*.domain`. */
  readonly prefix: string;
  /** What stands instead of the prefix; '' for the prefix itself. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

export type ShortNameMode = 'enforcing' | 'permissive' | 'disabled';

export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** undefined: nobody said; docker.io then, as docker has it. */
  readonly search?: readonly string[];
  /** Short name -> full name; '' takes an earlier one away. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly shortNameMode?: ShortNameMode;
}

export const EMPTY_CONF: RegistriesConf = { rules: [], aliases: new Map() };

/** A parsed TOML document. */
export type Table = Readonly<Record<string, unknown>>;

const HOST = String.raw`(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?`;
const PATH = String.raw`(?:\/[a-z0-9._-]+)*`;
const TARGET = `(?::[A-Za-z0-9_][A-Za-z0-9._-]*|@[a-z0-9]+:[0-9a-f]+)?`;
const HOST_ONLY = new RegExp(`^${HOST}$`);
const LOCATION = new RegExp(`^${HOST}${PATH}$`);
const PREFIX = new RegExp(String.raw`^(?:\*(?:\.[a-zA-Z0-9-]+)+|${HOST}${PATH}${TARGET})$`);

/** Reads one parsed file; `file` is its path, for messages. Throws CaissonError `EREGISTRIESCONF`. */
export function readRegistriesConf(document: Table, file: string): RegistriesConf {
  return new Reader(file).read(document);
}

/** `later` over `earlier`, as drop-in files go over the main one: rules by prefix, aliases by name, the rest as a whole. */
export function mergeRegistriesConf(earlier: RegistriesConf, later: RegistriesConf): RegistriesConf {
  const replaced = new Set(later.rules.map(({ prefix }) => prefix));
  return {
    ...earlier,
    ...later,
    rules: [...earlier.rules.filter(({ prefix }) => !replaced.has(prefix)), ...later.rules],
    aliases: new Map([...earlier.aliases, ...later.aliases]),
  };
}

class Reader {
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  read(document: Table): RegistriesConf {
    const old = isTable(document.registries) ? document.registries : undefined;
    const oldSearch = isTable(old?.search) ? old.search.registries : undefined;
    const search = this.hosts(
      document['unqualified-search-registries'] ?? oldSearch,
      'unqualified-search-registries',
    );
    const mode = this.mode(document['short-name-mode']);
    return {
      rules: [...this.rules(document.registry), ...(old === undefined ? [] : this.oldRules(old))],
      ...(search === undefined ? {} : { search }),
      aliases: this.aliases(document.aliases),
      ...(mode === undefined ? {} : { shortNameMode: mode }),
    };
  }

  private rules(value: unknown): RegistryRule[] {
    return this.tables(value, 'registry').map((table) => {
      const location = this.text(table.location, 'location', LOCATION) ?? '';
      const prefix = this.text(table.prefix, 'prefix', PREFIX) ?? location;
      if (prefix === '') throw this.wrong('a [[registry]] has neither prefix nor location');
      const digestOnly = this.flag(table['mirror-by-digest-only'], 'mirror-by-digest-only');
      return {
        prefix,
        location,
        insecure: this.flag(table.insecure, 'insecure'),
        blocked: this.flag(table.blocked, 'blocked'),
        mirrors: this.tables(table.mirror, 'registry.mirror').map((mirror) =>
          this.mirror(mirror, digestOnly),
        ),
      };
    });
  }

  private mirror(table: Table, digestOnly: boolean): Mirror {
    const location = this.text(table.location, 'location', LOCATION);
    if (location === undefined) throw this.wrong('a [[registry.mirror]] has no location');
    const use = table['pull-from-mirror'] ?? (digestOnly ? 'digest-only' : 'all');
    if (use !== 'all' && use !== 'digest-only' && use !== 'tag-only')
      throw this.wrong('pull-from-mirror is all, digest-only or tag-only');
    if (digestOnly && use !== 'digest-only')
      throw this.wrong('pull-from-mirror and mirror-by-digest-only of one registry contradict each other');
    return { location, insecure: this.flag(table.insecure, 'insecure'), use };
  }

  /** Version 1 of the format: lists of registries that are insecure or blocked. */
  private oldRules(registries: Table): RegistryRule[] {
    const listed = (name: 'insecure' | 'block') => {
      const table = registries[name];
      return this.hosts(isTable(table) ? table.registries : undefined, `registries.${name}`) ?? [];
    };
    const insecure = new Set(listed('insecure'));
    const blocked = new Set(listed('block'));
    return [...new Set([...insecure, ...blocked])].map((prefix) => ({
      prefix,
      location: '',
      insecure: insecure.has(prefix),
      blocked: blocked.has(prefix),
      mirrors: [],
    }));
  }

  private aliases(value: unknown): ReadonlyMap<string, string> {
    if (value === undefined) return new Map();
    if (!isTable(value)) throw this.wrong('aliases is a table');
    const found = new Map<string, string>();
    for (const [name, full] of Object.entries(value)) {
      if (typeof full !== 'string' || (full !== '' && (!LOCATION.test(full) || isShortName(full))))
        throw this.wrong(`the alias ${JSON.stringify(name)} is no name with a registry`);
      if (!isShortName(name) || !/^[a-z0-9._/-]+$/.test(name))
        throw this.wrong(`the alias ${JSON.stringify(name)} is no short name`);
      found.set(name, full);
    }
    return found;
  }

  private mode(value: unknown): ShortNameMode | undefined {
    if (value === undefined || value === '') return undefined;
    if (value === 'enforcing' || value === 'permissive' || value === 'disabled') return value;
    throw this.wrong('short-name-mode is enforcing, permissive or disabled');
  }

  private hosts(value: unknown, name: string): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.wrong(`${name} is an array of registries`);
    return value.map((host: unknown) => {
      if (typeof host === 'string' && HOST_ONLY.test(host)) return host;
      throw this.wrong(`${name}: ${JSON.stringify(host)} is not a registry's host and port`);
    });
  }

  private tables(value: unknown, name: string): readonly Table[] {
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every(isTable)) return value;
    throw this.wrong(`${name} is an array of tables: [[${name}]]`);
  }

  private text(value: unknown, name: string, grammar: RegExp): string | undefined {
    if (value === undefined || value === '') return undefined;
    // Many files have it with a slash at the end.
    const text = typeof value === 'string' ? value.replace(/\/+$/, '') : value;
    if (typeof text === 'string' && text.length < 1024 && grammar.test(text)) return text;
    throw this.wrong(`${name}: ${JSON.stringify(value)} is not host[:port][/path]`);
  }

  private flag(value: unknown, name: string): boolean {
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    throw this.wrong(`${name} is true or false`);
  }

  private wrong(what: string): CaissonError {
    return new CaissonError(`${this.file}: ${what}`, { code: 'EREGISTRIESCONF', sources: [this.file] });
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
