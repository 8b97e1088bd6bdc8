// Modes of COPY --chmod: octal digits, or symbols as chmod(1) takes them, applied to the mode of each file.

interface Clause {
  readonly who: number;
  readonly operator: '+' | '-' | '=';
  readonly permissions: string;
}

/** What is wrong with a mode; undefined for a good one. Empty is good: nothing changes. */
export function checkMode(text: string): string | undefined {
  if (text === '') return undefined;
  if (/^\d+$/.test(text)) {
    if (/^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) return undefined;
    return `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`;
  }
  return clausesOf(text) === undefined ? `invalid chmod parameter: '${text}'` : undefined;
}

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };

function clausesOf(text: string): Clause[] | undefined {
  const clauses: Clause[] = [];
  for (const part of text.split(',')) {
    const found = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(part);
    if (found === null) return undefined;
    const [, who = '', actions = ''] = found;
    const mask = who === '' ? 0o7777 : [...who].reduce((sum, each) => sum | (WHO[each] ?? 0), 0);
    for (const [, operator = '+', permissions = ''] of actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g))
      clauses.push({ who: mask, operator: operator as Clause['operator'], permissions });
  }
  return clauses;
}

/** The mode of a file (`mode`, 0..07777) after `text`. */
export function changedMode(text: string, mode: number, isDirectory: boolean): number {
  if (text === '') return mode;
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  let changed = mode;
  for (const { who, operator, permissions } of clausesOf(text) ?? []) {
    const bits = bitsOf(permissions, changed, isDirectory) & who;
    if (operator === '+') changed |= bits;
    else if (operator === '-') changed &= ~bits;
    // Set-user-ID and set-group-ID of a directory stay unless they are named (chmod(1)).
    else changed = (changed & ~(who & (isDirectory ? 0o1777 : 0o7777))) | bits;
  }
  return changed;
}

function bitsOf(permissions: string, mode: number, isDirectory: boolean): number {
  let bits = 0;
  for (const letter of permissions) {
    if (letter === 'r') bits |= 0o444;
    else if (letter === 'w') bits |= 0o222;
    else if (letter === 'x' || (letter === 'X' && (isDirectory || (mode & 0o111) !== 0))) bits |= 0o111;
    else if (letter === 's') bits |= 0o6000;
    else if (letter === 't') bits |= 0o1000;
    else if (letter === 'u') bits |= ((mode >> 6) & 7) * 0o111;
    else if (letter === 'g') bits |= ((mode >> 3) & 7) * 0o111;
    else if (letter === 'o') bits |= (mode & 7) * 0o111;
  }
  return bits;
}
