// The specification matrix holds: each row's test passes as it is and fails with the row's mutation. A few rows a day.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REPOSITORY } from '../attack/programs.ts';
import { faults, MATRIX } from './matrix.ts';
import { prove } from './proof.ts';

const LONG = process.env.CAISSON_LONG === '1';

/** Rows that are tried in a short run: others every day. */
const SAMPLE = 6;
const DAY = Math.floor(Date.now() / 86_400_000);

const missing =
  (process.getuid?.() !== 0 && 'these tests need root') ||
  (!existsSync(join(REPOSITORY, 'dist/caisson')) && 'dist/caisson is not built');

/** Spread over the whole table. */
function sample(): typeof MATRIX {
  const stride = Math.floor(MATRIX.length / SAMPLE);
  return MATRIX.filter((_, index) => index % stride === DAY % stride).slice(0, SAMPLE);
}

test('every requirement is in the table once, and what its row names is there', () => {
  assert.deepEqual(faults(), []);
});

for (const requirement of LONG ? MATRIX : sample()) {
  test(`${requirement.id}: ${requirement.what}`, { skip: missing }, () => {
    assert.equal(prove(requirement), undefined);
  });
}
