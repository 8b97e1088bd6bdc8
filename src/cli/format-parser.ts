// Parses a Go template into a tree: text, pipelines, if, range, with.
import type { Bytes } from '../linux/bytes.ts';
import { lex, type Part, type Token, templateError } from './format-lexer.ts';

/** An operand of a command. */
export type Operand =
  | { readonly kind: 'dot'; readonly at: number }
  | { readonly kind: 'literal'; readonly value: Bytes | number | boolean | null; readonly at: number }
  | { readonly kind: 'variable'; readonly name: Bytes; readonly at: number }
  | { readonly kind: 'function'; readonly name: Bytes; readonly at: number }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly at: number }
  | { readonly kind: 'fields'; readonly of: Operand; readonly names: readonly Bytes[]; readonly at: number };

/** Commands from left to right; each gets the result of the one before as its last argument. */
export interface Pipeline {
  readonly commands: readonly (readonly Operand[])[];
  /** `$x := `, `$i, $x := ` (range), `$x = `. */
  readonly variables: readonly Bytes[];
  readonly at: number;
}

export type Node =
  | { readonly kind: 'text'; readonly text: Bytes }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | { readonly kind: 'break' | 'continue' }
  | {
      readonly kind: 'if' | 'range' | 'with';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** A parsed template, with its source for errors. */
export interface Template {
  readonly source: Bytes;
  readonly nodes: readonly Node[];
}

/** Throws CaissonError ETEMPLATE: `template parsing error: template: :1:3: ...`. */
export function parseTemplate(source: Bytes): Template {
  const parser = new Parser(source, lex(source));
  const nodes = parser.body(undefined);
  return { source, nodes };
}

const BLOCKS = ['if', 'range', 'with'] as const;
type Block = (typeof BLOCKS)[number];

class Parser {
  private readonly source: Bytes;
  private readonly parts: readonly Part[];
  private at = 0;
  /** What ended the last body. */
  private ended: { readonly word: 'end' | 'else'; readonly reader: TokenReader } | undefined;

  constructor(source: Bytes, parts: readonly Part[]) {
    this.source = source;
    this.parts = parts;
  }

  /** Nodes up to `end` or `else` of the block that begins at `opened`, or to the end of the template. */
  body(opened: number | undefined): Node[] {
    const nodes: Node[] = [];
    for (;;) {
      const part = this.parts[this.at++];
      if (part === undefined) {
        if (opened !== undefined)
          throw templateError(this.source, opened, 'unexpected EOF: an action has no end');
        return nodes;
      }
      if (part.kind === 'text') {
        nodes.push(part);
        continue;
      }
      const reader = new TokenReader(this.source, part.tokens, part.at);
      const word = reader.peekWord();
      if (word === 'end' || word === 'else') {
        if (opened === undefined) throw templateError(this.source, part.at, `unexpected {{${word}}}`);
        reader.next();
        this.ended = { word, reader };
        return nodes;
      }
      nodes.push(this.node(reader, word, part.at));
    }
  }

  private node(reader: TokenReader, word: Bytes | undefined, at: number): Node {
    if (word === 'break' || word === 'continue') {
      reader.next();
      reader.finish();
      return { kind: word };
    }
    const block = BLOCKS.find((each) => each === word);
    if (block === undefined) {
      const pipeline = reader.pipeline();
      reader.finish();
      return { kind: 'print', pipeline };
    }
    reader.next();
    return this.block(block, reader, at);
  }

  private block(kind: Block, reader: TokenReader, at: number): Node {
    const pipeline = reader.pipeline();
    reader.finish();
    const body = this.body(at);
    const { word, reader: rest } = this.ended as { word: 'end' | 'else'; reader: TokenReader };
    if (word === 'end') {
      rest.finish();
      return { kind, pipeline, body, otherwise: [] };
    }
    // `{{else if}}` is an if of its own that shares the end.
    const chained = BLOCKS.find((each) => each === rest.peekWord());
    if (chained !== undefined) {
      rest.next();
      return { kind, pipeline, body, otherwise: [this.block(chained, rest, at)] };
    }
    rest.finish();
    const otherwise = this.body(at);
    if (this.ended?.word !== 'end') throw templateError(this.source, at, 'expected end; found {{else}}');
    this.ended.reader.finish();
    return { kind, pipeline, body, otherwise };
  }
}

const LITERALS = new Map<Bytes, boolean | null>([
  ['true', true],
  ['false', false],
  ['nil', null],
]);

class TokenReader {
  private readonly source: Bytes;
  private readonly tokens: readonly Token[];
  private readonly begin: number;
  private at = 0;

  constructor(source: Bytes, tokens: readonly Token[], begin: number) {
    this.source = source;
    this.tokens = tokens;
    this.begin = begin;
  }

  peekWord(): Bytes | undefined {
    const token = this.tokens[this.at];
    return token?.kind === 'word' ? token.text : undefined;
  }

  next(): Token | undefined {
    return this.tokens[this.at++];
  }

  finish(): void {
    const token = this.tokens[this.at];
    if (token !== undefined)
      throw templateError(this.source, token.at, `unexpected <${token.text}> in action`);
  }

  private isSymbol(text: Bytes, ahead = 0): boolean {
    const token = this.tokens[this.at + ahead];
    return token?.kind === 'symbol' && token.text === text;
  }

  pipeline(): Pipeline {
    const at = this.tokens[this.at]?.at ?? this.begin;
    const variables = this.declared();
    const commands = [this.command()];
    while (this.isSymbol('|')) {
      this.at++;
      commands.push(this.command());
    }
    return { commands, variables, at };
  }

  private declared(): Bytes[] {
    const names: Bytes[] = [];
    let ahead = 0;
    for (;;) {
      const token = this.tokens[this.at + ahead];
      if (token?.kind !== 'variable') return [];
      names.push(token.text);
      ahead++;
      if (this.isSymbol(',', ahead)) {
        ahead++;
        continue;
      }
      if (!this.isSymbol(':=', ahead) && !this.isSymbol('=', ahead)) return [];
      this.at += ahead + 1;
      return names;
    }
  }

  private command(): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const operand = this.operand();
      if (operand === undefined) break;
      operands.push(operand);
    }
    if (operands.length === 0) {
      const token = this.tokens[this.at];
      throw templateError(
        this.source,
        token?.at ?? this.begin,
        token === undefined ? 'missing value for command' : `unexpected <${token.text}> in action`,
      );
    }
    return operands;
  }

  private operand(): Operand | undefined {
    const token = this.tokens[this.at];
    if (token === undefined) return undefined;
    const first = this.simple(token);
    if (first === undefined) return undefined;
    const names: Bytes[] = [];
    for (;;) {
      const next = this.tokens[this.at];
      if (next?.kind !== 'field' || (next.spaced && next !== token)) break;
      names.push(next.text);
      this.at++;
    }
    return names.length === 0 ? first : { kind: 'fields', of: first, names, at: token.at };
  }

  private simple(token: Token): Operand | undefined {
    const { kind, text, at } = token;
    if (kind === 'symbol' && text !== '.' && text !== '(') return undefined;
    // `.A` is a field of the dot; the token stays for the caller.
    if (kind === 'field') return { kind: 'dot', at };
    this.at++;
    if (kind === 'string') return { kind: 'literal', value: text, at };
    if (kind === 'number') return { kind: 'literal', value: Number(text), at };
    if (kind === 'variable') return { kind: 'variable', name: text, at };
    if (kind === 'word') {
      const literal = LITERALS.get(text);
      return literal === undefined
        ? { kind: 'function', name: text, at }
        : { kind: 'literal', value: literal, at };
    }
    if (text === '.') return { kind: 'dot', at };
    const pipeline = this.pipeline();
    if (!this.isSymbol(')')) throw templateError(this.source, at, 'unclosed left paren');
    this.at++;
    return { kind: 'pipeline', pipeline, at };
  }
}
