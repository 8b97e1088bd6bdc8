// The flags of one instruction, `--name=value`: known ones, each once.
import { errorIn, type LogicalLine, suggestion, type Word } from './source.ts';

export type FlagKind = 'boolean' | 'text' | 'list';

/** What was given; an absent flag is undefined, an absent list empty. */
export interface GivenFlags {
  boolean(name: string): boolean | undefined;
  text(name: string): string | undefined;
  word(name: string): Word | undefined;
  list(name: string): readonly Word[];
}

/** Throws CaissonError EDOCKERFILE for an unknown flag, a second one, and a value that is missing or no boolean. */
export function readFlags(
  line: LogicalLine,
  flags: readonly Word[],
  known: Readonly<Record<string, FlagKind>>,
): GivenFlags {
  const found = new Map<string, Word[]>();
  for (const flag of flags) {
    const equals = flag.text.indexOf('=');
    const written = equals < 0 ? flag.text : flag.text.slice(0, equals);
    const name = written.slice(2);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      const near = suggestion(name, Object.keys(known));
      throw errorIn(line, flag.offset, `unknown flag: ${written}${near.replace('mean ', 'mean --')}`);
    }
    const value = readValue(line, flag, written, kind, equals);
    const before = found.get(name);
    if (before !== undefined && kind !== 'list')
      throw errorIn(line, flag.offset, `duplicate flag specified: ${written}`);
    found.set(name, [...(before ?? []), value]);
  }
  const word = (name: string) => found.get(name)?.[0];
  return {
    boolean: (name) => (word(name) === undefined ? undefined : word(name)?.text === 'true'),
    text: (name) => word(name)?.text,
    word,
    list: (name) => found.get(name) ?? [],
  };
}

function readValue(line: LogicalLine, flag: Word, written: string, kind: FlagKind, equals: number): Word {
  const value = equals < 0 ? '' : flag.text.slice(equals + 1);
  if (kind !== 'boolean') {
    if (equals < 0) throw errorIn(line, flag.offset, `missing a value on flag: ${written}`);
    return { text: value, offset: flag.offset };
  }
  if (equals >= 0 && value === '') throw errorIn(line, flag.offset, `missing a value on flag: ${written}`);
  const lower = value.toLowerCase();
  if (lower !== '' && lower !== 'true' && lower !== 'false')
    throw errorIn(line, flag.offset, `expecting boolean value for flag ${written}, not: ${value}`);
  return { text: lower === 'false' ? 'false' : 'true', offset: flag.offset };
}
