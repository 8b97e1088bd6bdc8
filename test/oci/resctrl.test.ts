// Groups of resctrl, in a directory that a mountinfo of the test's own says is one: no machine of ours has the hardware.
//
// The groups that a container joins are there with their files; one that it makes itself has none here, so that the
// start fails, and takes the group away again.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** The process that becomes caisson has another mountinfo, for itself alone. */
const PRETEND = `cat /proc/self/mountinfo > "$1.mountinfo"
echo "999 1 0:99 / $1 rw - resctrl resctrl rw" >> "$1.mountinfo"
mount --bind "$1.mountinfo" /proc/$$/mountinfo && shift && exec "$@"`;

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  const directory = `${harness.directory}/resctrl`;
  const group = (path: string) => `${directory}/gold/${path}`;
  const call = (args: readonly string[]) =>
    harness.call(args, { prefix: ['unshare', '--mount', 'sh', '-c', PRETEND, 'sh', directory] });
  const bundle = (intelRdt: object, script?: string) => harness.bundle({ linux: { intelRdt } }, script);

  /** A class of the administrator's, as the kernel shows one. */
  const makeClass = (schemata: string) => {
    mkdirSync(group('mon_groups'), { recursive: true });
    writeFileSync(group('tasks'), '');
    writeFileSync(group('schemata'), schemata);
  };

  test(`${name}: a class that is there is joined, its schemata are written, and it stays`, { skip }, () => {
    makeClass('MB:0=20\n');
    const id = harness.newId();
    const parts = { closID: 'gold', memBwSchema: 'MB:0=20', schemata: ['L2:0=f'] };
    const { code, stderr } = call(['run', '-d', '-b', bundle(parts, 'exec sleep 1000'), id]);
    assert.equal(code, 0, stderr);
    assert.equal(readFileSync(group('tasks'), 'utf8'), '0');
    assert.equal(readFileSync(group('schemata'), 'utf8'), 'MB:0=20\nL2:0=f\n');
    writeFileSync(group('tasks'), '');
    const executed = call(['exec', id, 'true']);
    assert.equal(executed.code, 0, executed.stderr);
    assert.equal(readFileSync(group('tasks'), 'utf8'), '0');
    harness.succeed(['delete', '--force', id]);
    assert.deepEqual(readdirSync(directory), ['gold']);
  });

  test(`${name}: update writes schemas of caches and of bandwidth to the group`, { skip }, () => {
    makeClass('MB:0=20\n');
    const id = harness.newId();
    const flags = ['--l3-cache-schema', 'L3:0=f', '--mem-bw-schema', 'MB:0=70'];
    const created = call(['run', '-d', '-b', bundle({ closID: 'gold' }, 'exec sleep 1000'), id]);
    assert.equal(created.code, 0, created.stderr);
    const updated = call(['update', ...flags, id]);
    assert.equal(updated.code, 0, updated.stderr);
    assert.equal(readFileSync(group('schemata'), 'utf8'), 'L3:0=f\nMB:0=70\n');
    // Without resctrl, and for a container that has no group.
    const refused = harness.call(['update', ...flags, id]);
    assert.match(refused.stderr, /Intel RDT\/CAT: l3 cache schema is not enabled/);
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a class with other schemata is refused`, { skip }, () => {
    makeClass('MB:0=30\n');
    const { code, stderr } = call([
      'run',
      '-b',
      bundle({ closID: 'gold', memBwSchema: 'MB:0=20' }),
      harness.newId(),
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /the schemata of .*\/gold are not MB:0=20/);
    assert.equal(readFileSync(group('tasks'), 'utf8'), '');
  });

  test(`${name}: a group that was made for a container is removed with it`, { skip }, () => {
    mkdirSync(directory, { recursive: true });
    const id = harness.newId();
    const { code, stderr } = call(['run', '-b', bundle({}), id]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`open the group \\S*/resctrl/${id}: no such file`));
    assert.equal(existsSync(`${directory}/${id}`), false);
    harness.assertNothingLeft();
  });

  test(`${name}: a monitoring group is removed with its container`, { skip }, () => {
    makeClass('MB:0=30\n');
    const id = harness.newId();
    const { code, stderr } = call(['run', '-b', bundle({ closID: 'gold', enableMonitoring: true }), id]);
    assert.equal(code, 1);
    assert.match(stderr, /open the group \S*\/gold: no such file/);
    assert.deepEqual(readdirSync(group('mon_groups')), []);
    harness.assertNothingLeft();
  });

  test(`${name}: a monitoring group that cannot be made is an error`, { skip }, () => {
    makeClass('MB:0=30\n');
    const id = harness.newId();
    mkdirSync(`${group('mon_groups')}/${id}/of-others`, { recursive: true });
    const { code, stderr } = call(['run', '-b', bundle({ closID: 'gold', enableMonitoring: true }), id]);
    assert.equal(code, 1);
    assert.match(stderr, /make the group .*: file exists/);
    harness.assertNothingLeft();
  });
}
