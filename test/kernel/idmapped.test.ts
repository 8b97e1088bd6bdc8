// Id-mapped mounts, sources that a root-made user namespace could not reach by itself, and tmpfs with tmpcopyup.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, MOUNTS, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** A root that belongs to the container's root. */
const rootfs = harness.makeRootfs();
if (skip === false) execFileSync('chown', ['-hR', '100000:100000', rootfs]);

const MAP = ['--uidmap', '0:100000:65536', '--gidmap', '0:100000:65536'];

/** A directory that only root of the host can enter, with a file of root's. */
function closedDirectory(): string {
  const parent = harness.makeDirectory('closed');
  mkdirSync(`${parent}/source`);
  writeFileSync(`${parent}/source/file`, 'content\n');
  chownSync(`${parent}/source/file`, 0, 0);
  chmodSync(parent, 0o700);
  return `${parent}/source`;
}

test('a user namespace made by root mounts sources that its own root cannot reach', {
  skip: rootOnly,
}, () => {
  const source = closedDirectory();
  const args = ['run', ...MAP, '-v', `${source}:/data`, '--rootfs', rootfs, '/bin/cat', '/data/file'];
  const { code, stdout, stderr } = harness.caisson(args);
  assert.equal(stderr, '');
  assert.equal(stdout, 'content\n');
  assert.equal(code, 0);
});

test('without idmap the files of the host are nobody’s, with it they are root’s', { skip: rootOnly }, () => {
  const source = closedDirectory();
  const owner = (options: string) => {
    const args = [
      'run',
      ...MAP,
      '-v',
      `${source}:/data${options}`,
      '--rootfs',
      rootfs,
      '/bin/stat',
      '-c',
      '%u:%g',
      '/data/file',
    ];
    const { stdout, stderr } = harness.caisson(args);
    assert.equal(stderr, '');
    return stdout.trim();
  };
  assert.equal(owner(''), '65534:65534');
  assert.equal(owner(':idmap'), '0:0');
});

test('mappings of a mount hold without a user namespace', { skip: rootOnly }, () => {
  const source = closedDirectory();
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  const mount = {
    destination: '/data',
    type: 'bind',
    source,
    options: ['bind'],
    uidMappings: map,
    gidMappings: map,
  };
  const output = harness.ociOutput({ mounts: [...MOUNTS, mount] }, 'stat -c %u:%g /data/file');
  assert.equal(output.trim(), '1000:1000');
});

test('tmpcopyup begins with what the image has, and changes nothing of it', { skip }, () => {
  const before = readdirSync(`${harness.rootfs}/bin`).length;
  const script =
    'ls /bin | wc -l; echo new > /bin/new; cat /bin/new; rm /bin/ls; grep -c " /bin tmpfs " /proc/mounts';
  const args = ['run', '--tmpfs', '/bin:tmpcopyup,exec', '--rootfs', harness.rootfs, '/bin/sh', '-c', script];
  const { stdout, stderr, code } = harness.caisson(args);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trim().split('\n'), [String(before), 'new', '1']);
  assert.equal(code, 0);
  assert.equal(existsSync(`${harness.rootfs}/bin/new`), false);
  assert.equal(existsSync(`${harness.rootfs}/bin/ls`), true);
});
