// Reads a Dockerfile line by line: comments, continuations and the documents that follow an instruction.
//
// The rules are those of BuildKit's frontend (moby/buildkit, frontend/dockerfile/parser): a comment line inside a
// continued instruction is left out, an empty one too (with a warning); leading white space of the first line is cut,
// that of the following ones stays.
import { type DirectiveReader, DirectiveReader as Reader } from './directives.ts';
import { errorAt, type LogicalLine, type Position, type SourceFile } from './source.ts';
import { isSpace, leadingSpaces, trim, trimStart } from './white-space.ts';

/** Longer lines are refused, as BuildKit refuses them (bufio.MaxScanTokenSize). */
const LONGEST_LINE = 65_535;

/** A part of a logical line that came from one line of the file. */
interface Segment {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** An instruction before it is taken apart. */
export interface RawLine {
  readonly line: LogicalLine;
  /** Comments directly above it, without `#`. */
  readonly comments: readonly string[];
}

/** Splits at line feeds; each line keeps its end, for the documents. */
function splitLines(content: string): string[] {
  const lines = content.split('\n').map((line) => `${line}\n`);
  const last = lines.pop() as string;
  if (last !== '\n') lines.push(last.slice(0, -1));
  return lines;
}

function withoutEnd(line: string): string {
  return line.replace(/[\r\n]+$/, '');
}

export class LineReader {
  readonly file: SourceFile;
  readonly warnings: { readonly position: Position; readonly message: string }[] = [];
  private readonly raw: readonly string[];
  private readonly reader: DirectiveReader;
  private next = 0;

  constructor(name: string, content: string) {
    this.raw = splitLines(content.startsWith('\ufeff') ? content.slice(1) : content);
    this.file = { name, lines: this.raw.map(withoutEnd) };
    this.reader = new Reader(this.file);
  }

  get directives() {
    return this.reader.directives;
  }

  /** How many lines have been read. */
  get lineNumber(): number {
    return this.next;
  }

  /** The next instruction; undefined at the end. Throws CaissonError EDOCKERFILE for a line that is too long. */
  instruction(): RawLine | undefined {
    let comments: string[] = [];
    while (this.next < this.raw.length) {
      const line = this.line();
      const start = leadingSpaces(line);
      const text = line.slice(start);
      const isDirective = this.reader.take(text, { line: this.next, column: start + 1 });
      if (text.startsWith('#')) {
        const comment = trim(line.slice(1));
        if (comment === '') comments = [];
        else if (!isDirective) comments.push(comment);
        continue;
      }
      const { rest, continued } = this.continuation(text);
      if (!continued && rest === '') continue;
      return {
        line: this.joined({ offset: 0, line: this.next, column: start + 1 }, rest, continued),
        comments,
      };
    }
    return undefined;
  }

  /** The lines up to `terminator`; undefined when it does not come. `tabs`: it may be indented by tabs. */
  document(terminator: string, tabs: boolean): string | undefined {
    let content = '';
    while (this.next < this.raw.length) {
      const raw = this.raw[this.next] as string;
      const line = this.line();
      if ((tabs ? line.replace(/^\t+/, '') : line) === terminator) return content;
      content += raw;
    }
    return undefined;
  }

  private line(): string {
    const line = this.file.lines[this.next++] as string;
    if (line.length > LONGEST_LINE) {
      const position = { line: this.next, column: 1 };
      throw errorAt(this.file, position, `dockerfile line greater than max allowed size of ${LONGEST_LINE}`);
    }
    return line;
  }

  /** Cuts the character that continues the line: its last one, unless the same stands before it. */
  private continuation(line: string): { rest: string; continued: boolean } {
    const escapeToken = this.reader.directives.escape;
    const end = line.replace(/[ \t]+$/, '');
    if (!end.endsWith(escapeToken) || end.at(-2) === escapeToken) return { rest: line, continued: false };
    return { rest: end.slice(0, -1), continued: true };
  }

  private joined(first: Segment, start: string, startContinues: boolean): LogicalLine {
    const segments = [first];
    const parts = [start];
    let length = start.length;
    let continued = startContinues;
    let empty = false;
    while (continued && this.next < this.raw.length) {
      const line = this.line();
      const begin = trimStart(line);
      if (begin.startsWith('#')) continue;
      if (begin === '') {
        empty = true;
        continue;
      }
      const found = this.continuation(line);
      segments.push({ offset: length, line: this.next, column: 1 });
      parts.push(found.rest);
      length += found.rest.length;
      continued = found.continued;
    }
    if (empty)
      this.warnings.push({ position: { line: this.next, column: 1 }, message: 'empty continuation line' });
    return this.logical(segments, parts.join(''));
  }

  private logical(segments: readonly Segment[], text: string): LogicalLine {
    return {
      file: this.file,
      text,
      startLine: segments[0]?.line ?? this.next,
      endLine: this.next,
      at: (offset) => positionOf(segments, offset),
    };
  }
}

function positionOf(segments: readonly Segment[], offset: number): Position {
  let found = segments[0] as Segment;
  for (const segment of segments) if (segment.offset <= offset) found = segment;
  return { line: found.line, column: found.column + offset - found.offset };
}

/** A logical line that begins later in another: the instruction of an ONBUILD. */
export function laterPart(line: LogicalLine, offset: number): LogicalLine {
  return { ...line, text: line.text.slice(offset), at: (inner) => line.at(inner + offset) };
}

/** A text that stands nowhere in the file (a trigger of a base image): every place of it is `position`. */
export function textAt(file: SourceFile, position: Position, text: string): LogicalLine {
  const { line } = position;
  return { file, text, startLine: line, endLine: line, at: () => position };
}

/** Whether nothing but white space is in `text` from `offset` on. */
export function isBlank(text: string, offset = 0): boolean {
  for (let at = offset; at < text.length; at++) if (!isSpace(text.charAt(at))) return false;
  return true;
}
