// Shell patterns of variable expansion: `*`, `?` and backslash, matched in time proportional to pattern times text.
//
// POSIX shell, 2.13, without bracket expressions, as BuildKit's frontend has it for ${x#p} ${x%p} ${x/p/r}. A regular
// expression would take exponential or at least high polynomial time for patterns such as `*a*a*a*a*b`.

type Item = { readonly kind: 'one' | 'many' } | { readonly kind: 'character'; readonly character: string };

/** A pattern that has been read. */
export type ShellPattern = readonly Item[];

/** Throws Error for an escape that means nothing. */
export function parseShellPattern(pattern: string): ShellPattern {
  const characters = [...pattern];
  const items: Item[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') items.push({ kind: 'many' });
    else if (character === '?') items.push({ kind: 'one' });
    else if (character !== '\\') items.push({ kind: 'character', character });
    else {
      const next = characters[at + 1] ?? '';
      // `}` and `/` are escaped for the sake of ${}; the backslash is not part of the pattern.
      if (next === '}' || next === '/') continue;
      if (next !== '*' && next !== '?' && next !== '\\') throw new Error(`invalid escape '\\${next}'`);
      items.push({ kind: 'character', character: next });
      at++;
    }
  }
  return items;
}

/** Steps that one expansion may take: about a second. */
const STEPS = 5_000_000;

/** What is left of them. */
export interface Budget {
  left: number;
}

export function newBudget(): Budget {
  return { left: STEPS };
}

/** The pattern read from its end. */
export function reversed(pattern: ShellPattern): ShellPattern {
  return [...pattern].reverse();
}

/**
 * Where a match that begins at `start` ends: the longest or the shortest one; undefined when there is none. A line feed
 * matches neither `?` nor `*`: so it is with the expressions that BuildKit makes of them. Throws Error when the budget
 * is used up.
 */
export function matchAt(
  pattern: ShellPattern,
  text: readonly string[],
  start: number,
  longest: boolean,
  budget: Budget,
): number | undefined {
  let states = closure(pattern, new Set([0]));
  let found = states.has(pattern.length) ? start : undefined;
  for (let at = start; at < text.length && states.size > 0; at++) {
    if (found !== undefined && !longest) return found;
    budget.left -= states.size;
    if (budget.left < 0) throw new Error('it takes too long to match');
    states = closure(pattern, advance(pattern, states, text[at] as string));
    if (states.has(pattern.length)) found = at + 1;
  }
  return found;
}

/** States that are reached without a character: `*` may match nothing. */
function closure(pattern: ShellPattern, states: Set<number>): Set<number> {
  for (const state of states) if (pattern[state]?.kind === 'many') states.add(state + 1);
  return states;
}

function advance(pattern: ShellPattern, states: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>();
  for (const state of states) {
    const item = pattern[state];
    if (item === undefined) continue;
    if (item.kind === 'character') {
      if (item.character === character) next.add(state + 1);
    } else if (character !== '\n') next.add(item.kind === 'many' ? state : state + 1);
  }
  return next;
}

/** `${value#pattern}`, `${value##pattern}`. */
export function withoutPrefix(pattern: ShellPattern, value: string, longest: boolean): string {
  const text = [...value];
  const end = matchAt(pattern, text, 0, longest, newBudget());
  return end === undefined ? value : text.slice(end).join('');
}

/** `${value%pattern}`, `${value%%pattern}`: the same from the other end. */
export function withoutSuffix(pattern: ShellPattern, value: string, longest: boolean): string {
  const text = [...value].reverse();
  const end = matchAt(reversed(pattern), text, 0, longest, newBudget());
  return end === undefined ? value : text.slice(end).reverse().join('');
}

/** `${value/pattern/replacement}`, and with `all` `${value//pattern/replacement}`: leftmost, longest, not overlapping. */
export function replaced(pattern: ShellPattern, value: string, replacement: string, all: boolean): string {
  const text = [...value];
  const out: string[] = [];
  const budget = newBudget();
  let afterMatch = false;
  for (let at = 0; at <= text.length; ) {
    const end = matchAt(pattern, text, at, true, budget);
    const empty = end === at;
    // No empty match directly behind another one (Go's ReplaceAll).
    if (end !== undefined && !(empty && afterMatch)) {
      out.push(replacement);
      if (!all) return out.concat(text.slice(end)).join('');
    }
    if (end === undefined || empty) {
      if (at < text.length) out.push(text[at] as string);
      at++;
      afterMatch = false;
    } else {
      at = end;
      afterMatch = true;
    }
  }
  return out.join('');
}
