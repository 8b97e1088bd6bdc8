// The waterfall of a traced start: where each step begins, and how long it took.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { step } from '../plan/step.ts';
import { waterfall } from './waterfall.ts';

const clone = step('parent', 'fork', 'clone', '/linux/namespaces/0', []);
const join = step('child', 'join', 'join', 'default: x', []);
const wait = step('parent', 'executed', 'wait', 'default: x', []);

test("a step begins where its actor's last one ended, and the child's first one with its clone", () => {
  const stamps = [
    { step: clone, at: 10_000 },
    { step: clone, at: 30_000 },
    { step: join, at: 45_000 },
    { step: wait, at: 90_000 },
  ];
  const [, ...lines] = waterfall(stamps, new Map([['/linux/namespaces/0', '--pid-ns new']])).split('\n');
  const numbers = lines.map((line) => line.trim().split(/\s+/).slice(0, 2));
  assert.deepEqual(numbers.slice(0, 3), [
    ['0.0', '20.0'],
    ['20.0', '15.0'],
    ['20.0', '60.0'],
  ]);
  assert.match(lines[0] ?? '', / P clone {2}<- --pid-ns new$/);
  assert.match(lines[3] ?? '', /^ +80\.0 us in all$/);
});
