// Configurations with thousands of mounts: compiled in time that grows with them, and played with few open files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import type { Mount, Spec } from '../../spec/runtime-spec.ts';
import { slot } from '../call.ts';
import { compile } from '../compile.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import type { Step } from '../step.ts';

function stepsOf(change: Partial<Spec>, linux: Spec['linux'] = {}): readonly Step[] {
  const spec = exampleSpec();
  const whole = { ...spec, ...change, linux: { ...spec.linux, ...linux } };
  return compile(whole, ROOT_FACTS, { id: 'x', root: { steps: [], root: slot('root') } }).steps;
}

function tmpfs(count: number, place: (index: number) => string): Mount[] {
  return Array.from({ length: count }, (_, index) => ({
    destination: place(index),
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['ro'],
  }));
}

/** Seconds of a slow machine; with a search among all mounts for each of them these took minutes. */
const PATIENCE = 20;

for (const [what, change, linux] of [
  ['mounts side by side', { mounts: tmpfs(10_000, (index) => `/m${index}`) }, {}],
  ['mounts in one directory', { mounts: tmpfs(10_000, (index) => `/a/b/${index}`) }, {}],
  [
    'mounts that cover others',
    { mounts: tmpfs(10_000, (index) => (index % 2 === 0 ? '/a' : `/b/${index}`)) },
    {},
  ],
  [
    'masked paths beside mounts',
    { mounts: tmpfs(5000, (index) => `/m${index}`) },
    { maskedPaths: Array.from({ length: 5000 }, (_, index) => `/m${index}/secret`) },
  ],
] as const) {
  test(`thousands of ${what} are compiled in seconds`, () => {
    const before = Date.now();
    const mounted = stepsOf(change, linux).filter(({ id }) => id === 'mount');
    assert.equal(mounted.length, change.mounts.length);
    assert.ok(Date.now() - before < 1000 * PATIENCE);
  });
}

/** The most descriptors that the child has open at once, as the calls say. */
function mostOpen(steps: readonly Step[]): number {
  const open = new Set<unknown>();
  let most = 0;
  for (const { name, args, result } of steps
    .filter(({ actor }) => actor === 'child')
    .flatMap(({ calls }) => calls)) {
    const [first] = args;
    for (const arg of args)
      if (arg.kind === 'slot' && OPENED.test(arg.name)) assert.ok(open.has(arg), arg.name);
    if (name === 'close') open.delete(first);
    else if (result !== undefined && /^(openat2?|open_tree|fsopen|fsmount)$/.test(name)) open.add(result);
    most = Math.max(most, open.size);
  }
  return most;
}

/** Directories and mounts of this test; nothing uses them after they were closed. */
const OPENED = /^(?:mount )?\/a\//;

test('no plan needs hundreds of descriptors', () => {
  assert.ok(mostOpen(stepsOf({})) < 60);
  assert.ok(mostOpen(stepsOf({ mounts: tmpfs(1000, (index) => `/a/${index}/b/c`) })) < 200);
  const maskedPaths = Array.from({ length: 1000 }, (_, index) => `/secret/${index}`);
  assert.ok(mostOpen(stepsOf({}, { maskedPaths })) < 200);
});
