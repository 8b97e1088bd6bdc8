// Parser directives: comments of the form `# key=value` above everything else in a Dockerfile.
//
// https://docs.docker.com/reference/dockerfile/#parser-directives: keys in any case, each once; the first line that is
// no directive of a known key ends them, be it a comment, an empty line or an instruction.
import { errorAt, type Position, type SourceFile } from './source.ts';
import { trimStart } from './white-space.ts';

/** What the directives of a file say. */
export interface Directives {
  /** The character that continues lines and escapes others. */
  escape: '\\' | '`';
  syntax?: string;
  check?: string;
}

const KEYS = ['syntax', 'check', 'escape'] as const;
const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.*)$/;

export class DirectiveReader {
  readonly directives: Directives = { escape: '\\' };
  private readonly seen = new Set<string>();
  private done = false;
  private readonly file: SourceFile;

  constructor(file: SourceFile) {
    this.file = file;
  }

  /**
   * Whether `line`, trimmed, is a directive. Throws CaissonError EDOCKERFILE for one that is given twice, and for an
   * escape character that is none.
   */
  take(line: string, position: Position): boolean {
    if (this.done) return false;
    const found = line.startsWith('#') ? DIRECTIVE.exec(trimStart(line.slice(1))) : null;
    const key = KEYS.find((known) => known === found?.[1]?.toLowerCase());
    const value = found?.[2]?.trim() ?? '';
    if (key === undefined || value === '') {
      this.done = true;
      return false;
    }
    if (this.seen.has(key))
      throw errorAt(this.file, position, `only one ${key} parser directive can be used`);
    this.seen.add(key);
    if (key !== 'escape') this.directives[key] = value;
    else if (value === '\\' || value === '`') this.directives.escape = value;
    else throw errorAt(this.file, position, `invalid escape token '${value}' does not match \` or \\`);
    return true;
  }
}
