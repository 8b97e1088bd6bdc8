// Device files that the image has brought in a /dev that nothing is mounted on.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, MOUNTS, type Part, rootOnly } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

test('nodes of the image are used when they are what was asked for, and refused when not', {
  skip: rootOnly,
}, () => {
  const path = harness.makeRootfs();
  const parts: Part = { root: { path }, mounts: MOUNTS.filter(({ type }) => type === 'proc') };
  for (const round of ['made', 'found']) {
    assert.equal(harness.ociOutput(parts, 'echo x > /dev/null && echo written'), 'written', round);
  }
  rmSync(`${path}/dev/null`);
  writeFileSync(`${path}/dev/null`, '');
  const { code, stderr } = harness.oci(parts, 'true');
  assert.equal(code, 1);
  assert.match(stderr, /\/dev\/null .*\(EEXIST\)/);
});
