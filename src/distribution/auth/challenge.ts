// Challenges of WWW-Authenticate (RFC 9110, section 11.6.1): schemes and their parameters.

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** More is nobody's honest header; the rest is not looked at. */
const LENGTH_LIMIT = 8192;
const COUNT_LIMIT = 8;

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
/** What follows a scheme when it is no parameter: token68 of other schemes. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/** All challenges of the values of a header, each of which may hold several. What cannot be read ends the reading. */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  const found: Challenge[] = [];
  for (const value of values) {
    new Reader(value.slice(0, LENGTH_LIMIT)).read(found);
    if (found.length >= COUNT_LIMIT) return found.slice(0, COUNT_LIMIT);
  }
  return found;
}

class Reader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  read(found: Challenge[]): void {
    while (found.length < COUNT_LIMIT) {
      this.take(SEPARATORS);
      const scheme = this.take(TOKEN);
      if (scheme === undefined || !' \t,'.includes(this.text.charAt(this.at))) return;
      const parameters = new Map<string, string>();
      found.push({ scheme: scheme.toLowerCase(), parameters });
      if (this.text[this.at] !== ' ' && this.text[this.at] !== '\t') continue;
      this.take(SPACE);
      if (!this.parameter(parameters)) this.take(TOKEN68);
      while (this.nextParameter(parameters));
    }
  }

  /** A comma and a parameter; otherwise stays where it was, for that is the next challenge. */
  private nextParameter(parameters: Map<string, string>): boolean {
    const start = this.at;
    if (this.take(SEPARATORS)?.includes(',') === true && this.parameter(parameters)) return true;
    this.at = start;
    return false;
  }

  private parameter(parameters: Map<string, string>): boolean {
    const start = this.at;
    const name = this.take(TOKEN)?.toLowerCase();
    this.take(SPACE);
    if (name === undefined || this.text[this.at] !== '=') {
      this.at = start;
      return false;
    }
    this.at++;
    this.take(SPACE);
    const quoted = this.take(QUOTED);
    const value = quoted === undefined ? this.take(TOKEN) : quoted.slice(1, -1).replace(/\\([\s\S])/g, '$1');
    if (value === undefined) {
      this.at = start;
      return false;
    }
    // Of two equal names the first holds: a second one is an error, or an attack on a cache of tokens.
    if (!parameters.has(name)) parameters.set(name, value);
    return true;
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match[0];
  }
}
