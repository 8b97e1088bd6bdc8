// A caller with a low limit of open files (RLIMIT_NOFILE, getrlimit(2)) can have containers all the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const PROC = [{ destination: '/proc', type: 'proc', source: 'proc' }];

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  for (const limit of [64, 100, 256]) {
    test(`${name}: the whole life of a container with ${limit} open files`, { skip }, async () => {
      const prefix = ['prlimit', `--nofile=${limit}:${limit}`];
      const id = harness.newId();
      const bundle = harness.bundle({}, 'ulimit -n; ls /proc/self/fd | wc -l; exec sleep 100');
      const { file } = harness.succeed(['create', '-b', bundle, id], { prefix });
      harness.succeed(['start', id], { prefix });
      assert.equal(harness.succeed(['exec', id, 'sh', '-c', 'ulimit -n'], { prefix }).stdout, `${limit}\n`);
      await harness.untilTrue(() => readFileSync(file, 'latin1').split('\n').length > 2, 'the output');
      assert.match(readFileSync(file, 'latin1'), new RegExp(`^${limit}\n4\n`));
      harness.succeed(['delete', '--force', id], { prefix });
      harness.assertNothingLeft();
    });
  }

  test(`${name}: more mounts than open files`, { skip }, () => {
    const mounts = Array.from({ length: 400 }, (_, index) => ({
      destination: `/tmp/mounts/${index}/a/b`,
      type: 'tmpfs',
      source: 'tmpfs',
    }));
    const bundle = harness.bundle(
      { root: { readonly: false }, mounts: [...PROC, ...mounts] },
      'grep -c /tmp/mounts /proc/self/mounts',
    );
    const { stdout } = harness.succeed(['run', '-b', bundle, harness.newId()], {
      prefix: ['prlimit', '--nofile=256:256'],
    });
    assert.equal(stdout, '400\n');
    harness.assertNothingLeft();
  });
}
