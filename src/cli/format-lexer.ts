// Splits a Go template (text/template) into text and the tokens of its actions.
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

/** One token of an action; `at` is the byte offset in the template. */
export interface Token {
  readonly kind: 'word' | 'field' | 'variable' | 'string' | 'number' | 'symbol';
  /** Of a string its value, of a field its name without the dot, else as written. */
  readonly text: Bytes;
  readonly at: number;
  /** Whether there is space before it: `.A.B` is one field, `.A .B` are two. */
  readonly spaced: boolean;
}

/** Text to print, or the tokens of one action. */
export type Part =
  | { readonly kind: 'text'; readonly text: Bytes }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly at: number };

/** `template: :1:5: message`, as docker has it. Lines and columns as Go counts them: columns in bytes from 0. */
export function templateError(template: Bytes, at: number, message: string): CaissonError {
  const before = template.slice(0, at);
  const line = before.split('\n').length;
  const column = at - (before.lastIndexOf('\n') + 1);
  return new CaissonError(`template parsing error: template: :${line}:${column}: ${message}`, {
    code: 'ETEMPLATE',
    exitCode: 64,
  });
}

/** Throws CaissonError ETEMPLATE where an action does not end or holds what is no token. */
export function lex(template: Bytes): Part[] {
  const parts: Part[] = [];
  let at = 0;
  let trimmed = false;
  for (;;) {
    const open = template.indexOf('{{', at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (trimmed) text = text.replace(/^[ \t\r\n]+/, '');
    // `{{- ` takes the space before it away (text/template, Text and spaces).
    if (open >= 0 && /^\{\{-[ \t\r\n]/.test(template.slice(open, open + 4)))
      text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') parts.push({ kind: 'text', text });
    if (open < 0) return parts;
    const action = lexAction(template, open);
    if (action.tokens !== undefined) parts.push({ kind: 'action', tokens: action.tokens, at: open });
    at = action.end;
    trimmed = action.trims;
  }
}

interface LexedAction {
  /** undefined for a comment. */
  readonly tokens: readonly Token[] | undefined;
  readonly end: number;
  readonly trims: boolean;
}

function lexAction(template: Bytes, open: number): LexedAction {
  let at = open + 2;
  if (/^-[ \t\r\n]/.test(template.slice(at, at + 2))) at += 2;
  const comment = /^[ \t\r\n]*\/\*[\s\S]*?\*\/([ \t\r\n]+-)?\}\}/.exec(template.slice(at));
  if (comment !== null)
    return { tokens: undefined, end: at + comment[0].length, trims: comment[1] !== undefined };
  const tokens: Token[] = [];
  for (;;) {
    const space = /^[ \t\r\n]*/.exec(template.slice(at))?.[0] ?? '';
    at += space.length;
    if (template.startsWith('}}', at)) return { tokens, end: at + 2, trims: false };
    if (space !== '' && template.startsWith('-}}', at)) return { tokens, end: at + 3, trims: true };
    if (at >= template.length) throw templateError(template, open, 'unclosed action');
    const { token, length } = lexToken(template, at, space !== '');
    tokens.push(token);
    at += length;
  }
}

const TOKENS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['number', /^[+-]?(0x[0-9a-fA-F]+|[0-9]+(\.[0-9]+)?)/],
  ['field', /^\.([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)/],
  ['variable', /^\$[A-Za-z0-9_\x80-\xff]*/],
  ['word', /^[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*/],
  ['symbol', /^(:=|[.|(),=])/],
];

function lexToken(template: Bytes, at: number, spaced: boolean): { token: Token; length: number } {
  const rest = template.slice(at);
  const first = rest.charAt(0);
  if (first === '"' || first === '`') return lexString(template, at, spaced);
  for (const [kind, pattern] of TOKENS) {
    const found = pattern.exec(rest);
    if (found === null) continue;
    return {
      token: { kind, text: found[kind === 'field' ? 1 : 0] ?? '', at, spaced },
      length: found[0].length,
    };
  }
  throw templateError(template, at, `unexpected ${JSON.stringify(first)} in action`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

function lexString(template: Bytes, at: number, spaced: boolean): { token: Token; length: number } {
  const raw = template.charAt(at) === '`';
  let text = '';
  for (let i = at + 1; i < template.length; i++) {
    const char = template.charAt(i);
    if (char === template.charAt(at))
      return { token: { kind: 'string', text, at, spaced }, length: i + 1 - at };
    if (raw || char !== '\\') {
      if (char === '\n' && !raw) break;
      text += char;
      continue;
    }
    const escaped = template.charAt(++i);
    const hex = /^x[0-9a-fA-F]{2}/.exec(template.slice(i));
    if (hex !== null) {
      text += String.fromCharCode(Number.parseInt(hex[0].slice(1), 16));
      i += 2;
    } else if (ESCAPES[escaped] !== undefined) text += ESCAPES[escaped];
    else throw templateError(template, i, 'bad escape in a string');
  }
  throw templateError(template, at, 'unterminated quoted string');
}
