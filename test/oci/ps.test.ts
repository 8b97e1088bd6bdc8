// ps: the processes of a container, those in cgroups below its own too.
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, test } from 'node:test';
import { cgroupFilePath, writeCgroupFile } from './cgroup-files.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: numbers of the host, and ps(1)'s table`, { skip }, async () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'sleep 1000 & exec sleep 1001'), id]);
    const { pid } = harness.stateOf(id);
    const list = () => JSON.parse(harness.succeed(['ps', '-f', 'json', id]).stdout) as number[];
    await harness.untilTrue(() => list().length === 2, 'both processes');
    assert.ok(list().includes(pid));

    const { stdout } = harness.succeed(['ps', id]);
    const [heading = '', ...lines] = stdout.trimEnd().split('\n');
    assert.match(heading, /^UID +PID +PPID /);
    assert.equal(lines.length, 2);
    assert.ok(lines.some((line) => line.includes(` ${pid} `) && line.endsWith('sleep 1001')));

    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    assert.equal(harness.succeed(['ps', '-f', 'json', id]).stdout, 'null\n');
    harness.succeed(['delete', id]);
    assert.match(harness.call(['ps', id]).stderr, /container does not exist/);
    harness.assertNothingLeft();
  });

  test(`${name}: a process in a cgroup below is the container's`, { skip }, () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    const { pid } = harness.stateOf(id);
    const below = `${dirname(cgroupFilePath(pid, 'cgroup.procs'))}/below`;
    mkdirSync(below);
    writeCgroupFile(pid, 'below/cgroup.procs', String(pid));
    assert.deepEqual(JSON.parse(harness.succeed(['ps', '--format', 'json', id]).stdout), [pid]);
    harness.succeed(['delete', '--force', id]);
    assert.throws(() => rmdirSync(below), /ENOENT/, 'delete takes it away');
  });
}
