// A list of patterns, of which later ones decide and `!` takes files back in.
import { cleanPath } from './clean-path.ts';
import { compilePattern } from './pattern.ts';

interface Pattern {
  readonly text: string;
  readonly exception: boolean;
  readonly match: (path: string) => boolean;
}

/** For each pattern whether a directory above has matched it. */
export type ParentMatches = readonly boolean[];

/** Patterns that a list may have. */
const MOST_PATTERNS = 10_000;

/** What is ignored of a tree. Paths are relative to its root, without `./`. */
export class IgnoreMatcher {
  private readonly patterns: readonly Pattern[];
  private readonly exceptions: readonly Pattern[];

  /** Throws Error for a pattern that is none. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > MOST_PATTERNS) throw new Error(`more than ${MOST_PATTERNS} patterns`);
    this.patterns = patterns.flatMap((written) => patternOf(written) ?? []);
    this.exceptions = this.patterns.filter(({ exception }) => exception);
  }

  get empty(): boolean {
    return this.patterns.length === 0;
  }

  /** Whether `path` is ignored; `parents` is what this said of the directory above (absent: the root). */
  matches(path: string, parents?: ParentMatches): { ignored: boolean; matches: ParentMatches } {
    let ignored = false;
    const found: boolean[] = [];
    for (const [index, pattern] of this.patterns.entries()) {
      let match = parents?.[index] ?? false;
      // An exception cannot change what is not ignored, and a pattern not what is.
      if (!match && pattern.exception === ignored) match = pattern.match(path);
      found.push(match);
      if (match) ignored = !pattern.exception;
    }
    return { ignored, matches: found };
  }

  /** The same for a path whose directories have not been asked about. */
  ignores(path: string): boolean {
    let parents: ParentMatches | undefined;
    const parts = path.split('/');
    for (let length = 1; length < parts.length; length++)
      parents = this.matches(parts.slice(0, length).join('/'), parents).matches;
    return this.matches(path, parents).ignored;
  }

  /** Whether an exception may take something back in below the ignored directory `path`. */
  mayKeepBelow(path: string): boolean {
    return this.exceptions.some(({ text }) => {
      const special = text.search(/[*?[\\]/);
      if (special >= 0)
        return text.slice(0, special).startsWith(`${path}/`) || `${path}/`.startsWith(text.slice(0, special));
      return text.startsWith(`${path}/`);
    });
  }
}

function patternOf(written: string): Pattern | undefined {
  const trimmed = written.trim();
  if (trimmed === '') return undefined;
  const cleaned = cleanPath(trimmed);
  const exception = cleaned.startsWith('!');
  const text = exception ? cleaned.slice(1) : cleaned;
  if (text === '') throw new Error('illegal exclusion pattern: "!"');
  return { text, exception, match: compilePattern(text) };
}

/** The patterns of an ignore file: comments and empty lines go, `/x` is `x`. */
export function readIgnoreFile(content: string): string[] {
  const patterns: string[] = [];
  for (const line of content.replace(/^\ufeff/, '').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const exception = trimmed.startsWith('!');
    const body = exception ? trimmed.slice(1).trim() : trimmed;
    const cleaned = body === '' ? '' : cleanPath(body);
    const relative = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
    patterns.push(exception ? `!${relative}` : relative);
  }
  return patterns;
}
