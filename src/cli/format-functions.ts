// The functions of docker's templates (docs.docker.com, Format command and log output) and of text/template.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { stringifyJson } from '../spec/json.ts';
import {
  areEqual,
  compareValues,
  isList,
  isMap,
  isTrue,
  member,
  printValue,
  type Value,
} from './format-value.ts';

/** Throws Error with what is wrong with the arguments. */
export type TemplateFunction = (args: readonly Value[]) => Value;

function wrong(name: string, message: string): never {
  throw new Error(`error calling ${name}: ${message}`);
}

function text(name: string, value: Value | undefined): Bytes {
  return typeof value === 'string' ? value : wrong(name, `expected a string, found ${kindOf(value)}`);
}

function whole(name: string, value: Value | undefined): number {
  return typeof value === 'number' && Number.isInteger(value)
    ? value
    : wrong(name, `expected an integer, found ${kindOf(value)}`);
}

function kindOf(value: Value | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'nil';
  return isList(value) ? 'a list' : isMap(value) ? 'a map' : `a ${typeof value}`;
}

/** As letters of text and not of bytes. */
function onText(change: (whole: string) => string): (bytes: Bytes) => Bytes {
  return (bytes) => utf8ToBytes(change(bytesToUtf8(bytes)));
}

const upper = onText((whole) => whole.toUpperCase());
const lower = onText((whole) => whole.toLowerCase());
const title = onText((whole) =>
  whole.replace(/(^|[\s])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
);

/** Of a map a missing name is Go's zero value of a map of texts. */
function index(args: readonly Value[]): Value {
  const [first, ...keys] = args;
  let at: Value = first ?? null;
  for (const key of keys) {
    if (isMap(at)) at = member(at, text('index', key)) ?? '';
    else if (isList(at)) {
      const position = whole('index', key);
      if (position < 0 || position >= at.length) wrong('index', `index out of range: ${position}`);
      at = at[position] ?? null;
    } else if (at === null) return '';
    else wrong('index', `cannot index ${kindOf(at)}`);
  }
  return at;
}

function slice(args: readonly Value[]): Value {
  const [first, ...bounds] = args;
  if (typeof first !== 'string' && !(first !== undefined && isList(first)))
    return wrong('slice', `cannot slice ${kindOf(first)}`);
  const [from = 0, to = first.length] = bounds.map((bound) => whole('slice', bound));
  if (from < 0 || to > first.length || from > to) wrong('slice', `index out of range: ${to}`);
  return first.slice(from, to);
}

function length(args: readonly Value[]): Value {
  const [of] = args;
  if (typeof of === 'string' || (of !== undefined && isList(of))) return of.length;
  if (of !== undefined && isMap(of)) return Object.keys(of).length;
  return wrong('len', `len of ${kindOf(of)}`);
}

function truncate([of, most]: readonly Value[]): Value {
  const found = bytesToUtf8(text('truncate', of));
  return utf8ToBytes([...found].slice(0, Math.max(0, whole('truncate', most))).join(''));
}

function pad([of, before, after]: readonly Value[]): Value {
  const found = text('pad', of);
  if (found === '') return '';
  return ' '.repeat(whole('pad', before)) + found + ' '.repeat(whole('pad', after));
}

/** fmt.Print: a space between two operands of which neither is a string. */
function print(args: readonly Value[]): Bytes {
  return args
    .map((value, at) => {
      const between = at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string';
      return (between ? ' ' : '') + printValue(value);
    })
    .join('');
}

/** The verbs %s %v %d %q %t %x %c %f %%, with flags - and 0, width and precision. */
function printf(args: readonly Value[]): Bytes {
  const [format, ...values] = args;
  let next = 0;
  const made = text('printf', format).replace(
    /%([-+0 ]*)([0-9]*)(?:\.([0-9]+))?([a-zA-Z%])/g,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const shown = formatted(values[next++] ?? null, verb, precision);
      if (flags.includes('-')) return shown.padEnd(Number(width));
      return shown.padStart(Number(width), flags.includes('0') ? '0' : ' ');
    },
  );
  const rest = values.slice(next);
  return rest.length === 0 ? made : `${made}%!(EXTRA ${rest.map(printValue).join(', ')})`;
}

function formatted(value: Value, verb: string, precision: string | undefined): Bytes {
  if (verb === 'q') return JSON.stringify(printValue(value));
  if (verb === 'x' && typeof value === 'number') return value.toString(16);
  if (verb === 'x')
    return [...printValue(value)].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  if (verb === 'f' && typeof value === 'number') return value.toFixed(Number(precision ?? 6));
  const shown = printValue(value);
  return precision === undefined ? shown : shown.slice(0, Number(precision));
}

function ordered(name: string, holds: (order: number) => boolean): TemplateFunction {
  return ([a, b]) => {
    const order = a === undefined || b === undefined ? undefined : compareValues(a, b);
    return order === undefined ? wrong(name, 'incompatible types for comparison') : holds(order);
  };
}

/** `and` and `or` are the evaluator's: they look at no more arguments than they need. */
export const FUNCTIONS: ReadonlyMap<Bytes, TemplateFunction> = new Map<Bytes, TemplateFunction>([
  ['json', ([of]) => stringifyJson(of ?? null)],
  [
    'join',
    ([of, between]) => {
      if (of === null || of === undefined) return '';
      return isList(of)
        ? of.map(printValue).join(text('join', between))
        : wrong('join', `expected a list, found ${kindOf(of)}`);
    },
  ],
  ['split', ([of, by]) => text('split', of).split(text('split', by))],
  ['upper', ([of]) => upper(text('upper', of))],
  ['lower', ([of]) => lower(text('lower', of))],
  ['title', ([of]) => title(text('title', of))],
  ['truncate', truncate],
  ['pad', pad],
  ['index', index],
  ['slice', slice],
  ['len', length],
  ['print', print],
  ['println', (args) => `${args.map(printValue).join(' ')}\n`],
  ['printf', printf],
  ['not', ([of]) => !isTrue(of ?? null)],
  ['eq', ([first, ...others]) => others.some((other) => areEqual(first ?? null, other))],
  ['ne', ([a, b]) => !areEqual(a ?? null, b ?? null)],
  ['lt', ordered('lt', (order) => order < 0)],
  ['le', ordered('le', (order) => order <= 0)],
  ['gt', ordered('gt', (order) => order > 0)],
  ['ge', ordered('ge', (order) => order >= 0)],
]);
