// runc's grammar: one dash or two, values after = or a blank, where options end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boolean, list, value } from '../frontends/flag.ts';
import { parseCommandLine, parseGlobals } from './grammar.ts';

const FLAGS = [
  value('bundle', '', { short: 'b' }),
  value('preserve-fds', ''),
  boolean('detach', '', { short: 'd' }),
  list('env', '', { short: 'e' }),
];

const LINES: readonly (readonly [line: string, expected: string])[] = [
  ['-b /x id', 'bundle=/x | id'],
  ['--bundle /x id', 'bundle=/x | id'],
  ['-bundle=/x id', 'bundle=/x | id'],
  ['--b=/x id', 'bundle=/x | id'],
  ['id -b /x', 'bundle=/x | id'],
  ['id --detach', 'detach=true | id'],
  ['--detach=false id', 'detach=false | id'],
  ['-d=T id', 'detach=true | id'],
  ['-e A=1 -e B=2,3 id', 'env=A=1;B=2,3 | id'],
  ['-b -d id', 'bundle=-d | id'],
  ['-b= id', 'bundle= | id'],
  ['-- -d id', ' | -d id'],
  ['id -- -d', ' | id -d'],
  ['id - -1 x', ' | id - -1 x'],
  ['--preserve-fds -1 id', 'preserve-fds=-1 | id'],
];

function shown(line: string, stopsAtArgument = false): string {
  const parsed = parseCommandLine({ flags: FLAGS, stopsAtArgument }, line.split(' '));
  const values = FLAGS.filter(({ name }) => parsed.isSet(name)).map(({ name, type }) => {
    if (type === 'boolean') return `${name}=${parsed.on(name)}`;
    return `${name}=${type === 'list' ? parsed.list(name).join(';') : (parsed.text(name) ?? '')}`;
  });
  return `${values.join(' ')} | ${parsed.words.join(' ')}`;
}

test('options and words in any order', () => {
  for (const [line, expected] of LINES) assert.equal(shown(line), expected, line);
});

test('a command line of somebody else is left alone', () => {
  assert.equal(shown('-d id sh -c true -- -e x', true), 'detach=true | id sh -c true -- -e x');
  assert.equal(shown('id -- ls -d', true), ' | id ls -d');
  assert.equal(shown('-- id -d', true), ' | id -d');
});

test('what is no option, or lacks its value', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['--nope id', /^flag provided but not defined: -nope$/],
    ['-x', /^flag provided but not defined: -x$/],
    ['-db /x id', /^flag provided but not defined: -db$/],
    ['id -b', /^flag needs an argument: -b$/],
    ['--bundle', /^flag needs an argument: --bundle$/],
    ['--detach=2 id', /^invalid value "2" for flag -detach: not a boolean$/],
  ];
  for (const [line, message] of wrong) {
    assert.throws(() => shown(line), { message, code: 'EUSAGE' }, line);
  }
});

test('numbers', () => {
  const parse = (text: string) =>
    parseCommandLine({ flags: FLAGS }, ['--preserve-fds', text]).integer('preserve-fds');
  assert.equal(parse('12'), 12);
  assert.equal(parse('-1'), -1);
  for (const text of ['x', '', '1.5', '9007199254740993'])
    assert.throws(() => parse(text), /not a whole number/);
});

test('global options end at the command', () => {
  const { parsed, rest } = parseGlobals(FLAGS, ['-d', '-b', 'x', 'run', '-d', 'id']);
  assert.ok(parsed.on('detach'));
  assert.equal(parsed.text('bundle'), 'x');
  assert.deepEqual(rest, ['run', '-d', 'id']);
  assert.deepEqual(parseGlobals(FLAGS, ['--', 'run']).rest, ['run']);
  assert.deepEqual(parseGlobals(FLAGS, []).rest, []);
});
