// resctrl, which nothing here writes to: neither without intelRdt nor with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import { slot } from '../call.ts';
import { compile } from '../compile.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import { printPlan } from '../print.ts';

test('intelRdt: without it no call is about resctrl', () => {
  const plan = compile(exampleSpec(), ROOT_FACTS, { id: 'x', root: { steps: [], root: slot('root') } });
  assert.doesNotMatch(printPlan(plan, { calls: true }), /resctrl/);
});
