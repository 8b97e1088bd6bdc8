// Patterns of .dockerignore and `--exclude`, as moby/patternmatcher matches them.
//
// https://docs.docker.com/build/concepts/context/#dockerignore-files: Go's filepath.Match (`*`, `?`, `[...]`, backslash),
// and `**` for any number of directories. Matched by simulating the automaton, in time proportional to pattern times
// path: a context may come from anybody, and expressions that backtrack can be made to take for ever.

type Token =
  | { readonly kind: 'character'; readonly character: string }
  /** `?`: one character but a slash. */
  | { readonly kind: 'one' }
  /** `*`: any number of them. */
  | { readonly kind: 'some' }
  /** `**` before something: nothing, or anything that ends with a slash. */
  | { readonly kind: 'directories' }
  /** `**` at the end: anything. */
  | { readonly kind: 'all' }
  | {
      readonly kind: 'class';
      readonly negated: boolean;
      readonly ranges: readonly (readonly [string, string])[];
    };

/** How a pattern is matched; all but `tokens` are short cuts. */
type Matcher =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string }
  | { readonly kind: 'suffix'; readonly text: string }
  | { readonly kind: 'tokens'; readonly tokens: readonly Token[] };

/** Longer patterns are refused; a path has at most 4096 bytes (PATH_MAX). */
const LONGEST = 8192;

/** Throws Error for a pattern that is none. */
export function compilePattern(pattern: string): (path: string) => boolean {
  if (pattern.length > LONGEST) throw new Error(`the pattern has more than ${LONGEST} characters`);
  const matcher = matcherOf(pattern, tokensOf(pattern));
  switch (matcher.kind) {
    case 'exact':
      return (path) => path === matcher.text;
    case 'prefix':
      return (path) => path.startsWith(matcher.text);
    case 'suffix':
      return (path) =>
        path.endsWith(matcher.text) || (matcher.text.startsWith('/') && path === matcher.text.slice(1));
    case 'tokens':
      return (path) => matches(matcher.tokens, path);
  }
}

/** `**` at one end only, and nothing special else, is a comparison of text (and `**x` then means: ends with x). */
function matcherOf(pattern: string, tokens: readonly Token[]): Matcher {
  const plain = (some: readonly Token[]) => some.every(({ kind }) => kind === 'character');
  const escaped = pattern.includes('\\');
  const last = tokens.at(-1);
  if (escaped) return { kind: 'tokens', tokens };
  if (plain(tokens)) return { kind: 'exact', text: pattern };
  if (tokens[0]?.kind === 'all' && tokens.length === 1) return { kind: 'suffix', text: '' };
  if (tokens[0]?.kind === 'directories' && plain(tokens.slice(1)))
    return { kind: 'suffix', text: pattern.slice(2) };
  if (last?.kind === 'all' && plain(tokens.slice(0, -1))) {
    const end = pattern.endsWith('/') ? -3 : -2;
    return { kind: 'prefix', text: pattern.slice(0, end) };
  }
  return { kind: 'tokens', tokens };
}

function tokensOf(pattern: string): Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*' && characters[at + 1] === '*') {
      at += characters[at + 2] === '/' ? 2 : 1;
      tokens.push({ kind: at + 1 === characters.length ? 'all' : 'directories' });
    } else if (character === '*') tokens.push({ kind: 'some' });
    else if (character === '?') tokens.push({ kind: 'one' });
    else if (character === '[') {
      const { token, end } = classOf(characters, at);
      tokens.push(token);
      at = end;
    } else if (character === '\\') {
      const next = characters[++at];
      if (next === undefined) throw new Error('syntax error in pattern: it ends with a backslash');
      tokens.push({ kind: 'character', character: next });
    } else tokens.push({ kind: 'character', character });
  }
  return tokens;
}

/** `[a-z]`, `[^a-z]`; a backslash escapes (filepath.Match). */
function classOf(characters: readonly string[], start: number): { token: Token; end: number } {
  const bad = () => new Error('syntax error in pattern: a bracket that is not closed');
  let at = start + 1;
  const negated = characters[at] === '^';
  if (negated) at++;
  const ranges: [string, string][] = [];
  const one = (): string => {
    let character = characters[at];
    if (character === '\\') character = characters[++at];
    else if (character === '-' || character === ']') throw bad();
    if (character === undefined) throw bad();
    at++;
    return character;
  };
  while (ranges.length === 0 || characters[at] !== ']') {
    const low = one();
    let high = low;
    if (characters[at] === '-') {
      at++;
      high = one();
    }
    ranges.push([low, high]);
    if (at >= characters.length) throw bad();
  }
  return { token: { kind: 'class', negated, ranges }, end: at };
}

function matches(tokens: readonly Token[], path: string): boolean {
  let states = close(tokens, new Set([0]));
  for (const character of path) {
    const next = new Set<number>();
    for (const state of states) step(tokens, state, character, next);
    states = close(tokens, next);
    if (states.size === 0) return false;
  }
  return states.has(tokens.length * 2);
}

/**
 * Twice the index of a token, and one more where `**` has begun to eat and a slash must still come. Tokens that may
 * match nothing are passed over.
 */
function close(tokens: readonly Token[], states: Set<number>): Set<number> {
  for (const state of states) {
    const kind = tokens[state >> 1]?.kind;
    if (state % 2 === 0 && (kind === 'some' || kind === 'all' || kind === 'directories'))
      states.add(state + 2);
  }
  return states;
}

function step(tokens: readonly Token[], state: number, character: string, next: Set<number>): void {
  const token = tokens[state >> 1];
  if (token === undefined) return;
  switch (token.kind) {
    case 'character':
      if (token.character === character) next.add(state + 2);
      return;
    case 'one':
      if (character !== '/') next.add(state + 2);
      return;
    case 'some':
      if (character !== '/') next.add(state);
      return;
    case 'all':
      next.add(state);
      return;
    case 'directories':
      next.add(state | 1);
      if (character === '/') next.add((state & ~1) + 2);
      return;
    case 'class':
      if (inClass(token.ranges, character) !== token.negated) next.add(state + 2);
  }
}

function inClass(ranges: readonly (readonly [string, string])[], character: string): boolean {
  const code = character.codePointAt(0) as number;
  return ranges.some(
    ([low, high]) => code >= (low.codePointAt(0) as number) && code <= (high.codePointAt(0) as number),
  );
}
