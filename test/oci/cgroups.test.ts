// Where the cgroups of a container are, which are refused, and that parents go with the last one below them.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { cgroupFilePath, onV1 } from './cgroup-files.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** `controllers path` of every hierarchy. */
function memberships(pid: number | 'self'): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      return [controllers, path];
    }),
  );
}

const MOUNTS = existsSync('/sys/fs/cgroup/cgroup.procs')
  ? ['/sys/fs/cgroup']
  : readdirSync('/sys/fs/cgroup')
      .map((name) => `/sys/fs/cgroup/${name}`)
      .filter((mount) => existsSync(`${mount}/cgroup.procs`));

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  function bundle(cgroupsPath: string | undefined, more: object = {}): string {
    const { linux } = harness.configuration({}, 'true') as { linux: { cgroupsPath?: string } };
    const { cgroupsPath: _, ...rest } = linux;
    const made = harness.configuration({}, 'exec sleep 1000');
    const directory = harness.makeDirectory('bundle');
    const placed = { ...rest, ...more, ...(cgroupsPath === undefined ? {} : { cgroupsPath }) };
    writeFileSync(`${directory}/config.json`, JSON.stringify({ ...made, linux: placed }));
    return directory;
  }

  function run(cgroupsPath: string | undefined): { readonly id: string; readonly pid: number } {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', bundle(cgroupsPath), id]);
    return { id, pid: harness.stateOf(id).pid };
  }

  function refused(cgroupsPath: string, words: RegExp): void {
    const { code, stderr } = harness.call(['run', '-d', '-b', bundle(cgroupsPath), harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, words);
  }

  const present = (path: string) => MOUNTS.filter((mount) => existsSync(mount + path));

  test(`${name}: without a path the id is below the own cgroup, a relative path too`, { skip }, () => {
    const own = memberships('self');
    for (const path of [undefined, `${harness.cgroup}-relative/x`]) {
      const { id, pid } = run(path);
      for (const [controllers, place] of memberships(pid)) {
        const base = own.get(controllers) ?? '';
        const above = controllers === '' ? base.slice(0, base.lastIndexOf('/')) : base.replace(/\/$/, '');
        assert.equal(place, `${above}/${path ?? id}`, controllers);
      }
      harness.succeed(['delete', '--force', id]);
    }
    harness.assertNothingLeft();
  });

  test(`${name}: parents that were made go with the last container below, others stay`, { skip }, () => {
    const top = `/${harness.cgroup}-top`;
    const [one, two] = [run(`${top}/mid/one`), run(`${top}/mid/two`)];
    assert.equal(memberships(one.pid).get(''), `${top}/mid/one`);
    harness.succeed(['delete', '--force', one.id]);
    assert.ok(present(`${top}/mid/two`).length > 0);
    harness.succeed(['delete', '--force', two.id]);
    assert.deepEqual(present(top), [], 'the last one takes them away');

    for (const mount of MOUNTS) mkdirSync(mount + top);
    const three = run(`${top}/mid/three`);
    harness.succeed(['delete', '--force', three.id]);
    assert.deepEqual(present(`${top}/mid`), []);
    assert.deepEqual(present(top), MOUNTS, 'what was there before stays');
    for (const mount of MOUNTS) rmdirSync(mount + top);

    const broken = bundle(`${top}/mid/four`, { resources: { cpu: { period: 7 } } });
    assert.equal(harness.call(['run', '-d', '-b', broken, harness.newId()]).code, 1);
    assert.deepEqual(present(top), []);
    harness.assertNothingLeft();
  });

  test(`${name}: a cgroup with processes, or frozen, is refused, and stays as it is`, { skip }, () => {
    const path = `/${harness.cgroup}-used/box`;
    const { id, pid } = run(path);
    refused(path, /container's cgroup is not empty: 1 process\(es\) found/);
    assert.equal(harness.stateOf(id).status, 'running');
    harness.succeed(['delete', '--force', id]);
    assert.ok(!existsSync(`/proc/${pid}/exe`));

    const frozen = `/${harness.cgroup}-frozen`;
    const mount = onV1('freezer') ? '/sys/fs/cgroup/freezer' : MOUNTS[0];
    const file = onV1('freezer') ? 'freezer.state' : 'cgroup.freeze';
    mkdirSync(mount + frozen);
    writeFileSync(`${mount}${frozen}/${file}`, onV1('freezer') ? 'FROZEN' : '1');
    refused(frozen, /container's cgroup unexpectedly frozen/);
    rmdirSync(mount + frozen);
    harness.assertNothingLeft();
  });

  test(`${name}: containers created at once with one path: what runs keeps running, and what is refused harms nobody`, {
    skip,
  }, async () => {
    const quiet = ['sh', '-c', 'exec "$@" > /dev/null 2>&1 < /dev/null', 'sh'];
    for (let round = 0; round < 4; round++) {
      const ids = [harness.newId(), harness.newId(), harness.newId()];
      const directory = bundle(`/${harness.cgroup}-race/box`);
      const runs = ids.map((id) =>
        harness.start(['oci', 'run', '-d', '-b', directory, id], { prefix: quiet }),
      );
      const codes = await Promise.all(runs.map(async (each) => (await each.end()).code));
      const alive = ids.filter((_, index) => codes[index] === 0);
      // Mostly one; another may have found the directory empty, too, as under runc, which looks and then joins.
      assert.ok(alive.length >= 1, codes.join(' '));
      for (const id of alive) assert.equal(harness.stateOf(id).status, 'running');
      for (const id of alive) harness.succeed(['delete', '--force', id]);
      assert.deepEqual(present(`/${harness.cgroup}-race`), []);
    }
    harness.assertNothingLeft();
  });

  test(`${name}: a dead container is deleted without the one that has its cgroup now`, { skip }, async () => {
    const path = `/${harness.cgroup}-reused/box`;
    const [dead, alive] = [run(path), harness.newId()];
    harness.succeed(['kill', dead.id, 'KILL']);
    await harness.untilStatus(dead.id, 'stopped');
    harness.succeed(['run', '-d', '-b', bundle(path), alive]);
    harness.succeed(['delete', dead.id]);
    assert.equal(harness.stateOf(alive).status, 'running');
    assert.ok(present(path).length > 0);
    harness.succeed(['delete', '--force', alive]);
    assert.deepEqual(present(`/${harness.cgroup}-reused`), []);
    harness.assertNothingLeft();
  });

  test(`${name}: paths that are no paths of cgroups`, { skip }, () => {
    refused('system.slice:docker:box', /slice:prefix:name/);
    refused('/', /root cgroup/);
    refused('/../x', /contains \\?"\.\./);
  });

  test(`${name}: a directory that is there and empty is used`, { skip }, () => {
    const path = `/${harness.cgroup}-empty`;
    for (const mount of MOUNTS) mkdirSync(mount + path);
    const { id, pid } = run(path);
    assert.ok(existsSync(cgroupFilePath(pid, 'pids.max')));
    harness.succeed(['delete', '--force', id]);
    assert.deepEqual(present(path), []);
  });
}
