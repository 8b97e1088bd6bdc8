// Containers of an ordinary user to whom no cgroup is given: without cgroups, unless something needs them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { STRANGER } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime, STRANGER);
  after(() => harness.close());

  test(`${name}: without a path and limits there is no cgroup, and what needs one says so`, {
    skip,
  }, async () => {
    const id = harness.newId();
    const bundle = harness.bundle({}, 'sleep 1000 & exec sleep 1001');
    harness.succeed(['run', '-d', '-b', bundle, id]);
    const { pid } = harness.stateOf(id);
    const list = () => JSON.parse(harness.succeed(['ps', '-f', 'json', id]).stdout) as number[];
    await harness.untilTrue(() => list().length === 2, 'both processes, known by their namespace');
    assert.ok(list().includes(pid));
    assert.match(harness.succeed(['events', '--stats', id]).stdout, /^\{"type":"stats","id":/);
    for (const [words, args] of [
      [/cannot toggle freezer/, ['pause', id]],
      [/cannot set limits: container could not join or create cgroup/, ['update', '--pids-limit', '5', id]],
    ] as const) {
      const { code, stderr } = harness.call(args);
      assert.equal(code, 1);
      assert.match(stderr, words);
    }
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: limits, and a path, are refused in runc's words`, { skip }, () => {
    const resources = { pids: { limit: 5 } };
    const cgroupsPath = '/caisson-nobody-may/box';
    for (const [words, linux] of [
      [/rootless needs no limits \+ no cgrouppath when no permission is granted for cgroups/, { resources }],
      [/unable to apply cgroup configuration: .*permission denied/, { cgroupsPath }],
      [/unable to apply cgroup configuration: .*permission denied/, { cgroupsPath, resources }],
    ] as const) {
      const { code, stderr } = harness.call(['create', '-b', harness.bundle({ linux }), harness.newId()]);
      assert.equal(code, 1);
      assert.match(stderr, words);
    }
    harness.assertNothingLeft();
  });
}
