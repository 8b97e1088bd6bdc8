// Tests of the expansion of variables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExpandOptions, ExpansionError, expand } from './expand.ts';

const VALUES: Readonly<Record<string, string>> = {
  x: 'value',
  empty: '',
  path: '/usr/local/bin',
  two: 'a  b',
};
const lookup = (name: string) => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined);
const text = (source: string, options?: ExpandOptions) => expand(source, lookup, options).text;

test('variables, with and without braces', () => {
  assert.equal(text('$x ${x} $x.y ${x}y $xy'), 'value value value.y valuey ');
  assert.equal(text('$ $. $1a ${none}'), '$ $. a ');
});

test('quotes and escapes', () => {
  assert.equal(text(`'$x' "$x" "'" '"'`), `$x value ' "`);
  assert.equal(text('\\$x \\\\ \\"'), '$x \\ "');
  assert.equal(text('"\\$x \\a \\"b"'), '$x \\a "b');
  assert.equal(text('`$x \\a', { escape: '`' }), '$x \\a');
  assert.equal(text(`'$x'`, { keepQuotes: true }), `'$x'`);
  assert.equal(text(`'$x'`, { plainQuotes: true }), `'value'`);
});

test('modifiers of POSIX', () => {
  assert.equal(text('${none:-d} ${none-d} ${empty:-d} ${empty-d} ${x:-d}'), 'd d d  value');
  assert.equal(text('${none:+a}|${empty:+a}|${empty+a}|${x:+a}'), '||a|a');
  assert.equal(text('${none:-${x}-${none:-deep}}'), 'value-deep');
  assert.throws(() => text('${none:?must be set}'), /none: must be set/);
  assert.throws(() => text('${none?}'), /none: is not allowed to be unset/);
  assert.throws(() => text('${empty:?}'), /empty: is not allowed to be empty/);
  assert.equal(text('${empty?}'), '');
});

test('patterns', () => {
  assert.equal(text('${path#*/} ${path##*/} ${path%/*} ${path%%/*}|'), 'usr/local/bin bin /usr/local |');
  assert.equal(text('${x#v?l} ${x%?e} ${x#nothing}'), 'ue val value');
  assert.equal(
    text('${path/l/L} ${path//l/L} ${path//\\//:}'),
    '/usr/Local/bin /usr/LocaL/bin :usr:local:bin',
  );
  assert.equal(text('${x/*/all} ${x//?/_}'), 'all _____');
});

test('words are split where white space is not quoted', () => {
  const words = (source: string) => expand(source, lookup).words;
  assert.deepEqual(words('a  b\tc'), ['a', 'b', 'c']);
  assert.deepEqual(words('$two "$two" x$two'), ['a', 'b', 'a  b', 'xa', 'b']);
  assert.deepEqual(words('a\\ b'), ['a b']);
});

test('what is not set stays, where that is asked for', () => {
  assert.equal(text('$none ${none} ${none:-d} $x', { keepUnset: true }), '$none ${none} ${none:-d} value');
  assert.deepEqual([...expand('$none ${other:-d} $x', lookup).unset], ['none', 'other']);
});

test('errors say where', () => {
  const offsetOf = (source: string) => {
    try {
      text(source);
    } catch (error) {
      assert.ok(error instanceof ExpansionError, String(error));
      return error.offset;
    }
    return -1;
  };
  assert.equal(offsetOf('ab ${x'), 3);
  assert.equal(offsetOf('ab ${}'), 3);
  assert.equal(offsetOf('${x:#a}'), 0);
  assert.equal(offsetOf('a "b'), 4);
  assert.equal(offsetOf('${x^}'), 0);
});

test('nesting and results are bounded', () => {
  assert.throws(() => text('${a:-'.repeat(5000)), /nested too deeply|missing/);
  const values = new Map([['a', 'x'.repeat(300_000)]]);
  assert.throws(() => expand('$a$a$a$a', (name) => values.get(name)), /more than 1048576 characters/);
});

test('a pattern that would make an expression backtrack for ever ends soon', () => {
  const value = 'a'.repeat(20_000);
  const begin = performance.now();
  assert.equal(expand('${v##*a*a*a*a*a*a*a*b}', () => value).text, value);
  assert.throws(() => expand('${v//a*b/x}', () => value), /too long to match/);
  assert.ok(performance.now() - begin < 20_000);
});
