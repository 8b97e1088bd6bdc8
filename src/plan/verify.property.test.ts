// For any configuration the compiler keeps all constraints; and verify notices when dependent steps change places.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiledPlans } from './specification.testing.ts';
import type { Plan, Step } from './step.ts';
import { verify } from './verify.ts';

test('every compiled plan keeps every constraint', () => {
  fc.assert(
    fc.property(compiledPlans, ({ plan }) => {
      assert.deepEqual(verify(plan), []);
    }),
    { numRuns: 150 },
  );
});

/** Kinds of steps of the child of which the first must stay before the second. */
const DEPENDENT: readonly (readonly [string, string])[] = [
  ['await-map', 'become-root'],
  ['become-root', 'execute'],
  ['session', 'terminal'],
  ['umask', 'devices'],
  ['isolate-mounts', 'root'],
  ['root', 'private-root'],
  ['private-root', 'mount'],
  ['mount', 'mask'],
  ['mount', 'pivot-root'],
  ['devices', 'readonly-root'],
  ['pivot-root', 'execute'],
  ['pivot-root', 'working-directory'],
  ['resolve-cwd', 'working-directory'],
  ['label', 'capabilities'],
  ['rlimit', 'user'],
  ['scheduler', 'capabilities'],
  ['bounding-set', 'user'],
  ['user', 'capabilities'],
  ['user', 'death-signal'],
  ['capabilities', 'execute'],
  ['no-new-privileges', 'execute'],
  ['signals', 'execute'],
];

function exchanged(plan: Plan, first: Step, second: Step): Plan {
  return { steps: plan.steps.map((each) => (each === first ? second : each === second ? first : each)) };
}

test('two dependent steps that change places are noticed', () => {
  fc.assert(
    fc.property(compiledPlans, fc.nat(), ({ plan }, choice) => {
      const child = plan.steps.filter(({ actor }) => actor === 'child');
      const pairs = DEPENDENT.flatMap(([one, other]) => {
        const first = child.find(({ id }) => id === one);
        const second = child.findLast(({ id }) => id === other);
        return first && second && child.indexOf(first) < child.indexOf(second)
          ? [[first, second] as const]
          : [];
      });
      const pair = pairs[choice % pairs.length];
      fc.pre(pair !== undefined);
      if (pair === undefined) return;
      const found = verify(exchanged(plan, ...pair));
      assert.ok(found.length > 0, `${pair[0].id} and ${pair[1].id} may change places`);
    }),
    { numRuns: 200 },
  );
});

test('a step of the child that is left out is noticed where others need it', () => {
  const needed = ['session', 'root', 'isolate-mounts', 'private-root', 'capabilities', 'signals', 'execute'];
  fc.assert(
    fc.property(compiledPlans, fc.constantFrom(...needed), ({ plan }, id) => {
      const without = plan.steps.filter((step) => step.id !== id);
      assert.ok(verify({ steps: without }).length > 0, `${id} is not missed`);
    }),
    { numRuns: 100 },
  );
});
