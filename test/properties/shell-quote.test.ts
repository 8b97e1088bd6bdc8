// A quoted word is read back by a real shell as the bytes that it was made of.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { comment, hereDocument, quote } from '../../src/plan/shell/quote.ts';

const bytes = fc
  .array(
    fc.oneof(
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom(
        ...["'", '"', '\\', '$', '`', '\n', ' ', '!', '~', '*', '#', ';', '&', '|'].map((char) =>
          char.charCodeAt(0),
        ),
      ),
    ),
    { maxLength: 12 },
  )
  .map((codes) => String.fromCharCode(...codes));

function shell(script: string): string {
  const { status, stdout, stderr } = spawnSync('sh', {
    input: Buffer.from(script, 'latin1'),
    encoding: 'latin1',
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('any bytes survive quoting', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 100 }), (words) => {
      assert.deepEqual(
        shell(`printf '%s\\0' ${words.map(quote).join(' ')}`)
          .split('\0')
          .slice(0, -1),
        words,
      );
    }),
    { numRuns: 30 },
  );
});

test('no comment is more than a comment', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 100 }), (texts) => {
      assert.equal(shell(`${texts.map(comment).join('\n')}\necho end`), 'end\n');
    }),
    { numRuns: 20 },
  );
});

test('a here-document is read whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(bytes, fc.constantFrom('CAISSON', 'CAISSON_')), { maxLength: 20 }),
      (lines) => {
        const body = `${lines.join('\n')}\n`;
        const { end, text } = hereDocument(body);
        assert.equal(shell(`cat <<'${end}'\n${text}`), body);
      },
    ),
    { numRuns: 20 },
  );
});
