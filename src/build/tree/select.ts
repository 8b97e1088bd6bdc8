// Which files a source of COPY names: a file, what is in a directory, or what matches a pattern.
//
// Patterns are Go's path.Match, part by part, as BuildKit resolves them; a name without them is followed through links,
// inside of the tree. What an ignore file excludes is not there.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { absolutePath } from '../ignore/clean-path.ts';
import { IgnoreMatcher, type ParentMatches } from '../ignore/matcher.ts';
import { compilePattern } from '../ignore/pattern.ts';
import type { TreeEntry } from './entry.ts';
import { look, openBelow, realPath } from './resolve.ts';
import { type Filter, walk } from './walk.ts';
import type { TreeWorker } from './worker.ts';

/** One thing to be copied. Paths of `entries` are below `directory`, a descriptor of the worker. */
export interface Selected {
  readonly directory: number;
  /** What is cut from the paths: what remains goes below the destination. Empty, or without a slash at the end. */
  readonly prefix: Bytes;
  /** The last part of the name by which it was found. */
  readonly name: Bytes;
  readonly kind: 'file' | 'contents';
  readonly entries: readonly TreeEntry[];
}

export interface Selection {
  readonly found: readonly Selected[];
  /** Whether the name is a pattern, which may match nothing. */
  readonly isPattern: boolean;
  /** It is there, but an ignore file excludes it. */
  readonly ignored: boolean;
}

export interface SelectOptions {
  /** What is not there, by its path from the top of the tree. */
  readonly ignore: IgnoreMatcher | undefined;
  /** `--exclude`: by the path below what is copied. */
  readonly exclude: readonly string[];
}

const WILD = /[*?[\\]/;

/** Throws CaissonError, and Error for a pattern that is none. */
export async function select(
  worker: TreeWorker,
  top: number,
  pattern: string,
  options: SelectOptions,
): Promise<Selection> {
  const parts = absolutePath(pattern)
    .split('/')
    .filter((part) => part !== '');
  const wild = parts.findIndex((part) => WILD.test(part));
  const fixed = wild < 0 ? parts : parts.slice(0, wild);
  const base = await realPath(worker, top, utf8ToBytes(fixed.join('/')));
  const isPattern = wild >= 0;
  const nothing = { found: [], isPattern, ignored: false };
  if (base === undefined) return nothing;
  if (isPattern) return { ...nothing, found: await matching(worker, top, base, parts.slice(wild), options) };
  const entry = await look(worker, top, base);
  if (entry === undefined) return nothing;
  const name = utf8ToBytes(parts.at(-1) ?? '');
  if (entry.type !== 'directory') {
    if (options.ignore?.ignores(bytesToUtf8(base)) === true) return { ...nothing, ignored: true };
    return { ...nothing, found: await single(worker, top, base, name, entry, options) };
  }
  const directory = await openBelow(worker, top, base);
  const entries = await walk(worker, directory, below(base, options.ignore));
  const ignored = base !== '' && entries.length === 0 && options.ignore?.ignores(bytesToUtf8(base)) === true;
  const kept = without(entries, options.exclude);
  return {
    ...nothing,
    ignored,
    found: ignored ? [] : [{ directory, prefix: '', name, kind: 'contents', entries: kept }],
  };
}

async function single(
  worker: TreeWorker,
  top: number,
  base: Bytes,
  name: Bytes,
  entry: TreeEntry,
  { exclude }: SelectOptions,
): Promise<Selected[]> {
  if (exclude.length > 0 && new IgnoreMatcher(exclude).ignores(bytesToUtf8(name))) return [];
  const cut = base.lastIndexOf('/');
  const directory = await openBelow(worker, top, cut < 0 ? '' : base.slice(0, cut));
  const path = base.slice(cut + 1);
  return [{ directory, prefix: path, name, kind: 'file', entries: [{ ...entry, path }] }];
}

interface Ignored {
  readonly depth: number;
  readonly matches: ParentMatches | undefined;
}

/** Applies an ignore file below the directory `base`, and a pattern for each of the first parts of a path. */
function below(
  base: Bytes,
  ignore: IgnoreMatcher | undefined,
  patterns: readonly ((name: string) => boolean)[] = [],
): Filter<Ignored> {
  const above = base === '' ? '' : `${bytesToUtf8(base)}/`;
  const first = parentMatches(ignore, bytesToUtf8(base));
  return (path, state = { depth: 0, matches: first }) => {
    const depth = state.depth + 1;
    const pattern = patterns[state.depth];
    const nothing = { keep: false, descend: false, state };
    if (pattern !== undefined && !pattern(path.slice(path.lastIndexOf('/') + 1))) return nothing;
    if (ignore === undefined)
      return { keep: depth >= patterns.length, descend: true, state: { depth, matches: undefined } };
    const { ignored, matches } = ignore.matches(above + path, state.matches);
    return {
      keep: !ignored && depth >= patterns.length,
      descend: !ignored || ignore.mayKeepBelow(above + path),
      state: { depth, matches },
    };
  };
}

/** What the ignore file says of a directory and those above it. */
function parentMatches(ignore: IgnoreMatcher | undefined, path: string): ParentMatches | undefined {
  if (ignore === undefined || path === '') return undefined;
  let matches: ParentMatches | undefined;
  const parts = path.split('/');
  for (let length = 1; length <= parts.length; length++)
    matches = ignore.matches(parts.slice(0, length).join('/'), matches).matches;
  return matches;
}

async function matching(
  worker: TreeWorker,
  top: number,
  base: Bytes,
  parts: readonly string[],
  { ignore, exclude }: SelectOptions,
): Promise<Selected[]> {
  const directory = await openBelow(worker, top, base);
  const patterns = parts.map(compilePattern);
  const entries = await walk(worker, directory, below(base, ignore, patterns));
  const groups = new Map<Bytes, TreeEntry[]>();
  for (const entry of entries) {
    const names = entry.path.split('/');
    if (names.length < parts.length) continue;
    const prefix = names.slice(0, parts.length).join('/');
    groups.set(prefix, [...(groups.get(prefix) ?? []), entry]);
  }
  return [...groups].flatMap(([prefix, group]): Selected[] => {
    const name = prefix.slice(prefix.lastIndexOf('/') + 1);
    const isDirectory = group[0]?.path !== prefix || group[0].type === 'directory';
    if (!isDirectory) {
      const excluded = exclude.length > 0 && new IgnoreMatcher(exclude).ignores(bytesToUtf8(name));
      return excluded ? [] : [{ directory, prefix, name, kind: 'file', entries: group }];
    }
    const inside = group
      .filter(({ path }) => path !== prefix)
      .map((entry) => ({ entry, path: entry.path.slice(prefix.length + 1) }));
    const kept = new Set(
      without(
        inside.map(({ entry, path }) => ({ ...entry, path })),
        exclude,
      ).map(({ path }) => path),
    );
    const chosen = inside.filter(({ path }) => kept.has(path)).map(({ entry }) => entry);
    return [{ directory, prefix, name, kind: 'contents', entries: chosen }];
  });
}

/** `--exclude`: a directory stays where something in it does. */
function without(entries: readonly TreeEntry[], exclude: readonly string[]): readonly TreeEntry[] {
  if (exclude.length === 0) return entries;
  const matcher = new IgnoreMatcher(exclude);
  const kept = entries.filter(({ path }) => !matcher.ignores(bytesToUtf8(path)));
  const needed = new Set(kept.flatMap(({ path }) => parentsOf(path)));
  return entries.filter((entry) => kept.includes(entry) || needed.has(entry.path));
}

function parentsOf(path: Bytes): Bytes[] {
  const parents: Bytes[] = [];
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) parents.push(path.slice(0, at));
  return parents;
}

/**
 * `COPY --parents`: paths stay as they are below the pivot `/./`, or below the top. The parents of what matches come
 * along, with their attributes.
 */
export async function selectParents(
  worker: TreeWorker,
  top: number,
  pattern: string,
  { ignore, exclude }: SelectOptions,
): Promise<Selection> {
  const pivot = pattern.indexOf('/./');
  const basePath = pivot < 0 ? '' : absolutePath(pattern.slice(0, pivot)).slice(1);
  const rest = absolutePath(pivot < 0 ? pattern : pattern.slice(pivot + 2)).slice(1);
  const base = await realPath(worker, top, utf8ToBytes(basePath));
  const isPattern = WILD.test(pattern);
  if (base === undefined) return { found: [], isPattern, ignored: false };
  const directory = await openBelow(worker, top, base);
  const wanted = new IgnoreMatcher([rest]);
  const all = await walk(worker, directory, below(base, ignore));
  const chosen = all.filter(({ path }) => rest === '' || wanted.ignores(bytesToUtf8(path)));
  const kept = without(chosen, exclude);
  const needed = new Set(kept.flatMap(({ path }) => [path, ...parentsOf(path)]));
  const entries = all.filter(({ path }) => needed.has(path));
  const found: Selected[] =
    entries.length === 0 ? [] : [{ directory, prefix: '', name: '', kind: 'contents', entries }];
  return { found, isPattern, ignored: false };
}
