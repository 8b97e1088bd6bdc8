// `--format`: executes a Go template, in docker's spirit, over a value.
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { FUNCTIONS, type TemplateFunction } from './format-functions.ts';
import { templateError } from './format-lexer.ts';
import { type Node, type Operand, type Pipeline, parseTemplate, type Template } from './format-parser.ts';
import { isList, isMap, isTrue, member, printValue, sortedNames, type Value } from './format-value.ts';

/** Maps of an image's or a user's own names: what is not in them has no value. Elsewhere it is a mistake. */
const FREE_NAMES: readonly Bytes[] = [
  'Labels',
  'Annotations',
  'Volumes',
  'ExposedPorts',
  'annotations',
  'labels',
];
/** Fields that Go has as lists and maps: printed, an absent one is empty. */
const EMPTY = new Map<Bytes, Bytes>([
  ...['Cmd', 'Entrypoint', 'Env', 'OnBuild', 'Shell', 'RepoTags', 'RepoDigests', 'Layers'].map(
    (name): [Bytes, Bytes] => [name, '[]'],
  ),
  ...FREE_NAMES.map((name): [Bytes, Bytes] => [name, 'map[]']),
]);
/** Bytes of output; a template is its caller's own, but a loop in a loop may still be a mistake. */
const OUTPUT_LIMIT = 64 << 20;

/** What differs between a row and the head of a table. */
export interface TemplateOptions {
  readonly functions?: ReadonlyMap<Bytes, TemplateFunction>;
}

/** Throws CaissonError ETEMPLATE where the template is none. */
export function compileTemplate(source: Bytes): (value: Value, options?: TemplateOptions) => Bytes {
  const template = parseTemplate(source);
  const parts = plainParts(template);
  return (value, options = {}) =>
    plainText(parts, value) ?? new Execution(template, value, options.functions ?? FUNCTIONS).run();
}

/** What a table mostly is: text, and fields of the row. undefined for any other template. */
function plainParts({ nodes }: Template): readonly PlainPart[] | undefined {
  const parts = nodes.map((node): PlainPart | undefined => {
    if (node.kind === 'text') return { text: node.text };
    const only = node.kind === 'print' && node.pipeline.variables.length === 0 ? node.pipeline.commands : [];
    const [operand] = only[0] ?? [];
    if (only.length !== 1 || only[0]?.length !== 1 || operand?.kind !== 'fields') return undefined;
    const [field] = operand.names;
    return operand.of.kind === 'dot' && operand.names.length === 1 && field !== undefined
      ? { field }
      : undefined;
  });
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

type PlainPart = { readonly text: Bytes } | { readonly field: Bytes };

/** A list has hundreds of rows, and QuickJS takes its time. undefined where a field is no text: its value needs more thought. */
function plainText(parts: readonly PlainPart[] | undefined, row: Value): Bytes | undefined {
  if (parts === undefined || !isMap(row)) return undefined;
  let text = '';
  for (const part of parts) {
    const piece = 'text' in part ? part.text : member(row, part.field);
    if (typeof piece !== 'string') return undefined;
    text += piece;
  }
  return text;
}

/** How `break` and `continue` leave a body. */
type Left = 'break' | 'continue' | undefined;

class Execution {
  private readonly template: Template;
  private readonly root: Value;
  private readonly functions: ReadonlyMap<Bytes, TemplateFunction>;
  private readonly variables: { readonly name: Bytes; value: Value }[];
  private readonly written: Bytes[] = [];
  private size = 0;

  constructor(template: Template, root: Value, functions: ReadonlyMap<Bytes, TemplateFunction>) {
    this.template = template;
    this.root = root;
    this.functions = functions;
    this.variables = [{ name: '$', value: root }];
  }

  run(): Bytes {
    this.body(this.template.nodes, this.root);
    return this.written.join('');
  }

  private fail(at: number, message: string): CaissonError {
    return templateError(this.template.source, at, message);
  }

  private write(text: Bytes, at: number): void {
    this.size += text.length;
    if (this.size > OUTPUT_LIMIT) throw this.fail(at, 'the output is larger than 64 MiB');
    this.written.push(text);
  }

  private body(nodes: readonly Node[], dot: Value): Left {
    const kept = this.variables.length;
    try {
      for (const node of nodes) {
        const left = this.node(node, dot);
        if (left !== undefined) return left;
      }
      return undefined;
    } finally {
      this.variables.length = kept;
    }
  }

  private node(node: Node, dot: Value): Left {
    switch (node.kind) {
      case 'text':
        this.write(node.text, 0);
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      case 'print': {
        const { pipeline } = node;
        const value = this.declare(pipeline, dot);
        if (pipeline.variables.length === 0) this.write(shown(value, pipeline), pipeline.at);
        return undefined;
      }
      case 'range':
        return this.range(node, dot);
      default:
        return this.choose(node, dot);
    }
  }

  /** A variable of the condition is visible in both branches. */
  private choose(node: Node & { readonly kind: 'if' | 'with' | 'range' }, dot: Value): Left {
    const kept = this.variables.length;
    const value = this.declare(node.pipeline, dot);
    const left = isTrue(value)
      ? this.body(node.body, node.kind === 'with' ? value : dot)
      : this.body(node.otherwise, dot);
    this.variables.length = kept;
    return left;
  }

  private range(node: Node & { readonly kind: 'if' | 'with' | 'range' }, dot: Value): Left {
    const { pipeline, body, otherwise } = node;
    const items = this.items(this.pipeline(pipeline, dot), pipeline.at);
    if (items.length === 0) return this.body(otherwise, dot);
    const [first, second] = pipeline.variables;
    for (const [key, item] of items) {
      const kept = this.variables.length;
      if (first !== undefined) this.variables.push({ name: first, value: second === undefined ? item : key });
      if (second !== undefined) this.variables.push({ name: second, value: item });
      const left = this.body(body, item);
      this.variables.length = kept;
      if (left === 'break') break;
    }
    return undefined;
  }

  private items(value: Value, at: number): readonly (readonly [Value, Value])[] {
    if (value === null) return [];
    if (isList(value)) return value.map((item, index) => [index, item] as const);
    if (isMap(value)) return sortedNames(value).map((name) => [name, member(value, name) ?? null] as const);
    throw this.fail(at, `range can't iterate over ${printValue(value)}`);
  }

  /** The value of a pipeline; `$x := ` makes a variable of it, `$x = ` changes one that is there. */
  private declare(pipeline: Pipeline, dot: Value): Value {
    const value = this.pipeline(pipeline, dot);
    for (const name of pipeline.variables.slice(-1)) {
      const known = this.variables.findLast((variable) => variable.name === name);
      if (known !== undefined && this.assigns(pipeline)) known.value = value;
      else this.variables.push({ name, value });
    }
    return value;
  }

  private assigns(pipeline: Pipeline): boolean {
    return /^\$[^:=]*=/.test(this.template.source.slice(pipeline.at));
  }

  private pipeline({ commands }: Pipeline, dot: Value): Value {
    let last: Value | undefined;
    for (const command of commands) last = this.command(command, dot, last);
    return last ?? null;
  }

  private command(command: readonly Operand[], dot: Value, piped: Value | undefined): Value {
    const [first, ...rest] = command as readonly [Operand, ...Operand[]];
    if (first.kind === 'fields' && first.names.at(-1) === 'Label' && rest.length === 1 && piped === undefined)
      return this.label(this.operand(first, dot), this.operand(rest[0] as Operand, dot));
    if (first.kind !== 'function') {
      if (rest.length > 0 || piped !== undefined)
        throw this.fail(first.at, "can't give an argument to what is no function");
      return this.operand(first, dot);
    }
    if (first.name === 'and' || first.name === 'or') return this.logical(first.name, rest, dot, piped);
    const args = rest.map((operand) => this.operand(operand, dot));
    return this.call(first, piped === undefined ? args : [...args, piped]);
  }

  /** docker's `.Label "key"`, the one method with an argument; in the head of a table it is the name of the column. */
  private label(labels: Value, name: Value): Value {
    return isMap(labels) && typeof name === 'string' ? (member(labels, name) ?? '') : labels;
  }

  private call({ name, at }: { readonly name: Bytes; readonly at: number }, args: readonly Value[]): Value {
    const found = this.functions.get(name);
    if (found === undefined) throw this.fail(at, `function "${name}" not defined`);
    try {
      return found(args);
    } catch (error) {
      if (error instanceof CaissonError || !(error instanceof Error)) throw error;
      throw this.fail(at, `executing "" at <${name}>: ${error.message}`);
    }
  }

  private logical(
    name: 'and' | 'or',
    operands: readonly Operand[],
    dot: Value,
    piped: Value | undefined,
  ): Value {
    let last: Value = null;
    for (const operand of operands) {
      last = this.operand(operand, dot);
      if (isTrue(last) === (name === 'or')) return last;
    }
    return piped ?? last;
  }

  private operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'literal':
        return operand.value;
      case 'variable': {
        const found = this.variables.findLast(({ name }) => name === operand.name);
        if (found === undefined) throw this.fail(operand.at, `undefined variable "${operand.name}"`);
        return found.value;
      }
      case 'function':
        return this.call(operand, []);
      case 'pipeline':
        return this.pipeline(operand.pipeline, dot);
      case 'fields':
        return this.fields(operand, dot);
    }
  }

  private fields(operand: Operand & { readonly kind: 'fields' }, dot: Value): Value {
    let at = this.operand(operand.of, dot);
    let free = false;
    for (const name of operand.names) {
      const where = `executing "" at <.${operand.names.join('.')}>`;
      if (at === null) throw this.fail(operand.at, `${where}: nil has no field ${name}`);
      if (!isMap(at)) throw this.fail(operand.at, `${where}: can't evaluate field ${name}`);
      const found = member(at, name);
      if (found === undefined && !free) throw this.fail(operand.at, `${where}: ${missing(name, at)}`);
      at = found ?? null;
      free = FREE_NAMES.includes(name);
    }
    return at;
  }
}

function missing(name: Bytes, map: Value & object): string {
  const known = Object.keys(map);
  const list = known.length > 0 && known.length <= 40 ? `; there are ${known.join(', ')}` : '';
  return `map has no entry for key "${name}"${list}`;
}

function shown(value: Value, { commands }: Pipeline): Bytes {
  const last = commands.at(-1)?.[0];
  const name = last?.kind === 'fields' ? last.names.at(-1) : undefined;
  const empty = value === null && name !== undefined ? EMPTY.get(name) : undefined;
  return empty ?? printValue(value);
}
