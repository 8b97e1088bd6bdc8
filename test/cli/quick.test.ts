// What people wait for is in the quick program, and not handed over to the whole one.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const BUNDLE = 'build/quickjs/caisson.mjs';

/** Commands that are to start in a millisecond, and the monitor's. */
const QUICK =
  'run create start stop restart kill pause unpause wait rm exec attach ps inspect logs top rename update system-event images';

test('no command that people wait for is left out of the quick program', {
  skip: existsSync(BUNDLE) ? false : `${BUNDLE} is not built`,
}, () => {
  const bundle = readFileSync(BUNDLE, 'utf8');
  const left = [...bundle.matchAll(/handOver\("src\/cli\/commands\/([a-z-]+)\.ts"\)/g)].map(
    ([, name]) => name,
  );
  assert.ok(left.includes('build'), 'builds are handed over');
  assert.deepEqual(
    QUICK.split(' ').filter((name) => left.includes(name)),
    [],
  );
});
