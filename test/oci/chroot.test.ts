// A runtime that runs in a chroot: its containers and what is executed in them see nothing of the host around it.
//
// pivot_root(2) changes the root of the chroot alone, and setns(2) leads to that of the mount namespace.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  test(`${name}: exec and hooks of a runtime in a chroot`, { skip }, () => {
    const inner = harness.makeDirectory('inner');
    // The same files, but another mount; below it what the chroot has alone.
    const enter = `mount -t tmpfs chroot ${inner} && cd ${inner} && for each in /[a-z]*; do
      [ -d $each ] && mkdir .$each && mount --rbind $each .$each; [ -L $each ] && cp -a $each .; done
      touch inner; exec chroot . sh -c "$0"`;
    const hook = (out: string) => ({
      path: '/bin/sh',
      args: ['sh', '-c', `ls / > ${harness.directory}/${out}`],
    });
    const hooks = { createRuntime: [hook('runtime')], createContainer: [hook('container')] };
    const bundle = harness.bundle({ hooks }, 'ls -d /inner /work /root; exec sleep 100');
    const id = harness.newId();
    const runtimeOf = (...words: string[]) => harness.commandLine(['oci', ...words]).join(' ');
    const script = [
      `${runtimeOf('run', '-d', '-b', bundle, id)} </dev/null >/dev/null`,
      runtimeOf('exec', id, 'ls', '/'),
      `ls / | grep inner; cat ${harness.directory}/container >&2; grep inner ${harness.directory}/runtime ${harness.directory}/container`,
      runtimeOf('delete', '--force', id),
    ].join('; ');
    const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'sh', '-c', enter, script], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const [own, ...rest] = stdout.trim().split('\n').reverse();
    assert.equal(own, `${harness.directory}/container:inner`, stderr);
    assert.equal(rest[0], `${harness.directory}/runtime:inner`);
    assert.equal(rest[1], 'inner');
    const listed = rest.slice(2);
    assert.ok(listed.includes('bin') && listed.includes('proc'), stdout);
    for (const host of ['inner', 'boot', 'media', 'srv', 'work'])
      if (existsSync(`/${host}`) || host === 'inner') assert.ok(!listed.includes(host), `${host}: ${stdout}`);
    harness.assertNothingLeft();
  });
}
