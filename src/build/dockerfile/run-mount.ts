// `RUN --mount=type=...`: the options of each kind of mount, from an allow-list; nothing else can be said.
//
// https://docs.docker.com/reference/dockerfile/#run---mount. The option text of a mount is never handed on: CVE-2024-9407
// (buildah) came of options that went through to the kernel.
import { parseBoolean, parseSize } from '../../frontends/number.ts';
import { csvFields } from './csv.ts';
import { errorIn, type LogicalLine, suggestion, type Word } from './source.ts';

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';

/** A mount of one RUN. Paths are as written. */
export interface RunMount {
  readonly type: MountType;
  /** A stage or an image; empty: the build context, for a cache nothing. */
  readonly from: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Bytes of a tmpfs; 0: no limit. */
  readonly size: number;
  /** Of a cache, a secret or an agent. */
  readonly id: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly required: boolean;
  /** The variable that a secret is in. */
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Where it is written, for errors. */
  readonly word: Word;
}

type Draft = { -readonly [Key in keyof RunMount]: RunMount[Key] };

const TYPES: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING = ['shared', 'private', 'locked'] as const;
const LARGEST_ID = 2 ** 32 - 2;

/** What is looked at before variables are known. Throws CaissonError EDOCKERFILE. */
export function checkMount(line: LogicalLine, word: Word): void {
  for (const field of fieldsOf(line, word)) {
    const { key, value } = keyOf(field);
    const dollar = value?.indexOf('$') ?? -1;
    if (key !== 'from' || value === undefined || dollar < 0 || dollar === value.length - 1) continue;
    throw errorIn(line, word.offset, "'from' doesn't support variable expansion, define alias stage instead");
  }
}

/** The stage or image that a mount is from, before variables are known; empty when it is from none. */
export function mountOrigin(line: LogicalLine, word: Word): string {
  for (const field of fieldsOf(line, word)) {
    const { key, value } = keyOf(field);
    if (key === 'from') return value ?? '';
  }
  return '';
}

/** Throws CaissonError EDOCKERFILE, and what `expand` throws. */
export function readMount(line: LogicalLine, word: Word, expand: (text: string) => string): RunMount {
  const wrong = (message: string) => errorIn(line, word.offset, `--mount: ${message}`);
  const mount: Draft = {
    type: 'bind',
    from: '',
    source: '',
    target: '',
    readOnly: false,
    size: 0,
    id: '',
    sharing: 'shared',
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
    word,
  };
  const given = new Set<string>();
  for (const field of fieldsOf(line, word)) {
    const { key, value } = keyOf(field);
    const name = Object.hasOwn(ALIASES, key) ? (ALIASES[key] as string) : key;
    const setter = Object.hasOwn(SETTERS, name) ? SETTERS[name] : undefined;
    if (setter === undefined)
      throw wrong(`unexpected key '${key}' in '${field}'${suggestion(key, Object.keys(SETTERS))}`);
    if (value === undefined && !WITHOUT_VALUE.has(name))
      throw wrong(`invalid field '${field}' must be a key=value pair`);
    const change = setter(value === undefined ? 'true' : expand(value), key, mount);
    if (typeof change === 'string') throw wrong(change);
    Object.assign(mount, change);
    given.add(name);
  }
  const problem = contradiction(mount, given);
  if (problem !== undefined) throw wrong(problem);
  if (!given.has('readonly') && !given.has('readwrite'))
    mount.readOnly = mount.type !== 'cache' && mount.type !== 'tmpfs';
  return mount;
}

function fieldsOf(line: LogicalLine, word: Word): string[] {
  try {
    return csvFields(word.text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    throw errorIn(line, word.offset, `--mount: failed to parse comma-separated options: ${reason}`);
  }
}

function keyOf(field: string): { key: string; value: string | undefined } {
  const equals = field.indexOf('=');
  if (equals < 0) return { key: field.toLowerCase(), value: undefined };
  return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1) };
}

const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

const WITHOUT_VALUE = new Set(['readonly', 'readwrite', 'required']);

/** What one option changes; a text says what is wrong with it. */
type Setter = (value: string, key: string, mount: Draft) => Partial<Draft> | string;

const SETTERS: Readonly<Record<string, Setter>> = {
  type: (value) => {
    const type = TYPES.find((each) => each === value.toLowerCase());
    return type === undefined
      ? `unsupported mount type ${JSON.stringify(value)}${suggestion(value, TYPES)}`
      : { type };
  },
  from: (value) => ({ from: value }),
  source: (value) => ({ source: value }),
  target: (value) => ({ target: value }),
  id: (value) => ({ id: value }),
  env: (value) => ({ env: value }),
  readonly: (value, key) => flag(value, key, (readOnly) => ({ readOnly })),
  readwrite: (value, key) => flag(value, key, (writable) => ({ readOnly: !writable })),
  required: (value, key, mount) =>
    mount.type === 'secret' || mount.type === 'ssh'
      ? flag(value, key, (required) => ({ required }))
      : unexpected(mount, key),
  size: (value, key, mount) => {
    if (mount.type !== 'tmpfs') return unexpected(mount, key);
    const size = parseSize(value);
    return typeof size === 'number' ? { size } : `invalid value for ${key}: ${value}`;
  },
  sharing: (value) => {
    const sharing = SHARING.find((mode) => mode === value.toLowerCase());
    return sharing === undefined
      ? `unsupported sharing value ${JSON.stringify(value)}${suggestion(value, SHARING)}`
      : { sharing };
  },
  mode: (value) => {
    const mode = /^[0-7]{1,11}$/.test(value) ? Number.parseInt(value, 8) : Number.NaN;
    return mode <= 0o7777 ? { mode } : `invalid value ${value} for mode`;
  },
  uid: (value, key) => id(value, key, (uid) => ({ uid })),
  gid: (value, key) => id(value, key, (gid) => ({ gid })),
};

function unexpected(mount: Draft, key: string): string {
  return `unexpected key '${key}' for mount type '${mount.type}'`;
}

function flag(value: string, key: string, change: (on: boolean) => Partial<Draft>): Partial<Draft> | string {
  const on = parseBoolean(value);
  return on === undefined ? `invalid value for ${key}: ${value}` : change(on);
}

function id(value: string, key: string, change: (number: number) => Partial<Draft>): Partial<Draft> | string {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  return number <= LARGEST_ID ? change(number) : `invalid value ${value} for ${key}`;
}

function contradiction(mount: Draft, given: ReadonlySet<string>): string | undefined {
  if (mount.type === 'bind' || mount.type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'])
      if (given.has(key)) return `${key} not allowed for "${mount.type}" type mounts`;
  }
  if (mount.type === 'secret') {
    if (mount.from !== '') return 'secret mount should not have a from';
    if (mount.source === '' && mount.target === '' && mount.id === '')
      return 'invalid secret mount. one of source, target required';
    if (mount.source !== '' && mount.id !== '') return "both source and id can't be set";
  }
  if (mount.type === 'ssh' && mount.source !== '') return 'ssh does not support source';
  if (given.has('sharing') && mount.type !== 'cache')
    return `invalid cache sharing set for ${mount.type} mount`;
  return undefined;
}
