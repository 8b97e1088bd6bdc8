// The same bundle under runc, crun and caisson: what a program sees must agree, but for a table of reasons.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUNDLES } from './bundles.ts';
import { compare, type Difference, type Found, INTENDED } from './differences.ts';
import { differentialMissing, PEERS, runBundles } from './runtimes.ts';

function described(found: readonly Found[], peer: string): string {
  const lines = (name: string, all: readonly string[]) => all.map((line) => `  ${name}: ${line}`);
  return found
    .flatMap(({ section, ours, theirs }) => [
      `[${section}]`,
      ...lines('caisson', ours),
      ...lines(peer, theirs),
    ])
    .join('\n');
}

test('bundles look the same from inside as under runc and crun', {
  skip: differentialMissing(),
}, async (context) => {
  assert.equal(new Set(BUNDLES.map(({ name }) => name)).size, BUNDLES.length, 'names are used once');
  const { outcomes, left } = runBundles(BUNDLES);
  const used = new Set<Difference>();
  for (const [index, bundle] of BUNDLES.entries()) {
    const ours = outcomes[index]?.get('caisson');
    for (const peer of PEERS) {
      await context.test(`${bundle.name}: as ${peer}`, () => {
        const theirs = outcomes[index]?.get(peer);
        assert.ok(ours !== undefined && theirs !== undefined);
        assert.equal(ours.report.size > 0, bundle.spec.process?.args?.[1] === '/report', ours.stderr);
        const found = compare(bundle, peer, ours, theirs, used);
        assert.equal(described(found, peer), '', `caisson: ${ours.stderr}\n${peer}: ${theirs.stderr}`);
      });
    }
  }
  await context.test('every reason of the table is needed', () => {
    assert.deepEqual(
      INTENDED.filter((difference) => difference.host !== true && !used.has(difference)).map(
        ({ reason }) => reason,
      ),
      [],
    );
  });
  await context.test('no cgroup is left', () => {
    assert.equal(left, '');
  });
});
