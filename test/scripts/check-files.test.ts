// The check of source files refuses each fault that it names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSampleTree } from './sample-tree.ts';

const check = (files: Record<string, string>) => inSampleTree('check-files.mjs', files);

test('a good file passes', () => {
  const text = '// A sentence over\n// two lines.\n//\n// And reasons\n\nexport const a = 1;\n';
  assert.deepEqual(check({ 'src/linux/good-name.test.ts': text }), { status: 0, lines: [] });
});

const FAULTS: readonly (readonly [string, string, string, RegExp])[] = [
  ['no first comment', 'src/a.ts', 'export const a = 1;\n', /does not start with a comment/],
  ['no sentence', 'src/a.ts', '// constants\nexport const a = 1;\n', /does not start with a comment/],
  ['too long', 'src/a.ts', `// It is one.\n${'\n'.repeat(400)}`, /401 lines, at most 400/],
  ['a long launcher', 'launcher/launcher.c', `// It is one.\n${'\n'.repeat(250)}`, /251 lines, at most 250/],
  ['a long init', 'launcher/init.c', `// It is one.\n${'\n'.repeat(200)}`, /201 lines, at most 200/],
  ['an empty name', 'src/utils.ts', '// It is one.\n', /the name says nothing/],
  ['camel case', 'src/fooBar.ts', '// It is one.\n', /kebab-case/],
  ['unfinished work', 'src/a.ts', `// It is one.\n\n// ${'TO'}${'DO'}: later\n`, /line 3: unfinished work/],
  ['a silenced type error', 'src/a.ts', `// It is one.\n\n// ${'@ts-'}ignore\n`, /line 3: the type checker/],
  ['a test alone', 'src/a.test.ts', `// It is one.\ntest${'.only'}('x');\n`, /line 2: the other tests/],
];

for (const [name, file, text, expected] of FAULTS) {
  test(`${name} fails`, () => {
    const result = check({ [file]: text });
    assert.equal(result.status, 1);
    assert.match(result.lines.join('\n'), expected);
    assert.equal(result.lines.length, 1);
  });
}
