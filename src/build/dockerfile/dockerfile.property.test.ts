// Z06: a Dockerfile, a document, expansion with generated input: what is written is read again, nothing crashes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { CaissonError } from '../../spec/error.ts';
import { compilePattern } from '../ignore/pattern.ts';
import { ExpansionError, expand } from './expand.ts';
import { parseDockerfile } from './parse.ts';

const runs = process.env.CAISSON_LONG === '1' ? 20_000 : 400;

const word = fc.stringMatching(/^[a-z0-9._/-]{1,12}$/).filter((text) => !text.startsWith('-'));
const name = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/);

/** An instruction as text, and what must be read of it. */
const instruction = fc.oneof(
  fc.tuple(fc.array(word, { minLength: 1, maxLength: 4 })).map(([words]) => ({
    text: `RUN ${words.join(' ')}`,
    read: { kind: 'run', words: [words.join(' ')] },
  })),
  fc.array(fc.string(), { minLength: 1, maxLength: 4 }).map((words) => ({
    text: `CMD ${JSON.stringify(words)}`,
    read: { kind: 'cmd', words },
  })),
  fc.array(fc.tuple(name, word), { minLength: 1, maxLength: 3 }).map((pairs) => ({
    text: `ENV ${pairs.map(([key, value]) => `${key}=${value}`).join(' \\\n  ')}`,
    read: { kind: 'env', words: pairs.flat() },
  })),
  fc
    .tuple(fc.array(word, { minLength: 1, maxLength: 3 }), word, fc.boolean())
    .map(([sources, target, link]) => ({
      text: `COPY ${link ? '--link ' : ''}${sources.join('\t')}  ${target}`,
      read: { kind: 'copy', words: [...sources, target] },
    })),
  fc.array(word, { maxLength: 3 }).map((lines) => ({
    text: `RUN <<END\n${lines.map((line) => `${line}\n`).join('')}END`,
    read: { kind: 'run', words: ['<<END', ...lines] },
  })),
);

function readBack(text: string) {
  const [stage] = parseDockerfile('Dockerfile', text).stages;
  return (stage?.instructions ?? []).map((each) => {
    switch (each.kind) {
      case 'run': {
        const documents = each.command.documents.flatMap(({ content }) => content.split('\n').slice(0, -1));
        return { kind: each.kind, words: [...each.command.words, ...documents] };
      }
      case 'cmd':
        return { kind: each.kind, words: [...each.command.words] };
      case 'env':
        return { kind: each.kind, words: each.pairs.flatMap(({ key, value }) => [key.text, value.text]) };
      case 'copy':
        return { kind: each.kind, words: [...each.sources, each.destination].map((one) => one.text) };
      default:
        return { kind: each.kind, words: [] };
    }
  });
}

test('what is written is read, whatever stands between the lines', () => {
  const between = fc.constantFrom('\n', '\n\n', '\n# comment\n', '\n  # comment \\\n', '\r\n', '\n\t\n');
  fc.assert(
    fc.property(fc.array(fc.tuple(instruction, between), { maxLength: 8 }), (list) => {
      const text = `FROM scratch\n${list.map(([{ text: one }, end]) => one + end).join('')}`;
      assert.deepEqual(
        readBack(text),
        list.map(([{ read }]) => read),
      );
    }),
    { numRuns: runs },
  );
});

const pieces = fc.constantFrom(
  ...[
    'FROM ',
    'RUN ',
    'COPY ',
    'ENV ',
    'ARG ',
    'ONBUILD ',
    'HEALTHCHECK ',
    '--',
    '--from=',
    '--mount=',
    '<<EOF',
    '<<-"X"',
  ],
  ...[
    '\n',
    '\\\n',
    '\r\n',
    '# ',
    'escape=`',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    '$',
    '${',
    ':-',
    '%',
    '=',
    ',',
    '\\',
    '\t',
    ' ',
  ],
  ...['scratch', 'a', 'EOF\n', 'X\n', '\u00e9', '\u2028', '\0', '\ufeff', '1'],
);

test('any text is a Dockerfile, or an error that says where', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (list) => {
      const text = `FROM x\n${list.join('')}`;
      try {
        parseDockerfile('Dockerfile', text);
      } catch (error) {
        assert.ok(error instanceof CaissonError && error.code === 'EDOCKERFILE', String(error));
        const found = /:(\d+):(\d+): /.exec(error.message);
        assert.ok(found !== null, error.message);
        const lines = text.split('\n');
        const [line, column] = [Number(found[1]), Number(found[2])];
        assert.ok(line >= 1 && line <= lines.length, error.message);
        assert.ok(
          column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1,
          `${error.message} in ${JSON.stringify(text)}`,
        );
      }
    }),
    { numRuns: 5 * runs },
  );
});

test('expansion of any text ends, with a result or an error that says where', () => {
  const values = new Map([
    ['a', 'x y'],
    ['b', ''],
    ['c', 'c/d/e'],
  ]);
  const some = fc.constantFrom(
    ...['$', '{', '}', 'a', 'b', 'c', ':', '-', '+', '?', '#', '%', '/', '*', '"', "'", '\\', ' ', '<'],
  );
  fc.assert(
    fc.property(fc.array(some, { maxLength: 24 }), (list) => {
      const text = list.join('');
      try {
        const { words } = expand(text, (key) => values.get(key));
        for (const each of words) assert.notEqual(each, '');
      } catch (error) {
        assert.ok(error instanceof ExpansionError, String(error));
        assert.ok(error.offset >= 0 && error.offset <= text.length);
      }
    }),
    { numRuns: 10 * runs },
  );
});

test('patterns of expansion cut what a shell cuts', () => {
  const letters = fc.stringMatching(/^[ab/.]{0,8}$/);
  const pattern = fc.stringMatching(/^[ab/.*?]{1,5}$/);
  const operator = fc.constantFrom('#', '##', '%', '%%');
  const cases = fc.sample(fc.tuple(letters, operator, pattern), { numRuns: runs, seed: 6 });
  const script = cases
    .map(([value, sign, cut]) => `v='${value}'; printf '%s\\n' "\${v${sign}${cut}}"`)
    .join('\n');
  const { stdout, status } = spawnSync('/bin/sh', { input: script, encoding: 'utf8' });
  assert.equal(status, 0);
  const expected = stdout.split('\n');
  for (const [index, [value, sign, cut]] of cases.entries()) {
    const source = `\${v${sign}${cut}}`;
    assert.equal(expand(source, () => value).text, expected[index], `${source} of ${value}`);
  }
});

test('patterns of ignore files match what an expression of them matches', () => {
  const part = fc.constantFrom('a', 'b', '.', '*', '?', '[ab]', '[^b]');
  const pattern = fc
    .array(fc.array(part, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
    .map((names) => names.map((each) => each.join('').replace(/\*{2,}/g, '*')).join('/'));
  const path = fc.stringMatching(/^[ab.]{1,3}(?:\/[ab.]{1,3}){0,2}$/);
  fc.assert(
    fc.property(pattern, path, (text, file) => {
      const source = text.replace(
        /[.*?]/g,
        (sign) => ({ '.': '\\.', '*': '[^/]*', '?': '[^/]' })[sign] ?? sign,
      );
      assert.equal(compilePattern(text)(file), new RegExp(`^${source}$`).test(file), `${text} ${file}`);
    }),
    { numRuns: 5 * runs },
  );
});
