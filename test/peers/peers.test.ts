// The peers' root has its programs, they run containers in it, and nothing of it shows on the host.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { peersMissing, runInPeers } from './harness.ts';

const skip = peersMissing() ?? false;

test('each peer is there', { skip }, () => {
  const commands = 'runc crun podman buildah skopeo umoci docker containerd criu bwrap'.split(' ');
  const result = runInPeers(['sh', '-c', `for each in ${commands.join(' ')}; do command -v $each; done`]);
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout.trim().split('\n').length, commands.length, result.stdout);
});

for (const runtime of ['runc', 'crun']) {
  test(`${runtime} runs the bundle of runc spec`, { skip }, () => {
    const bundle = mkdtempSync('/tmp/caisson-peers-');
    try {
      mkdirSync(join(bundle, 'rootfs'));
      assert.equal(runInPeers(['runc', 'spec'], bundle).status, 0);
      assert.equal(runInPeers(['cp', '/bin/busybox', 'rootfs/busybox'], bundle).status, 0);
      const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
      config.process.terminal = false;
      config.process.args = ['/busybox', 'sh', '-c', '/busybox hostname; exit 9'];
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
      const result = runInPeers([runtime, 'run', `peer-${process.pid}`], bundle);
      assert.equal(result.stdout, 'runc\n', result.stderr);
      assert.equal(result.status, 9);
    } finally {
      rmSync(bundle, { recursive: true, force: true });
    }
  });
}

test("a mount made there is not the host's", { skip }, () => {
  const before = readFileSync('/proc/self/mountinfo', 'utf8');
  const result = runInPeers([
    'sh',
    '-c',
    'mount -t tmpfs tmpfs /mnt && grep -c " /mnt " /proc/self/mountinfo',
  ]);
  assert.equal(result.stdout, '1\n', result.stderr);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before);
});

test('the exit status of a command is passed on', { skip }, () => {
  assert.equal(runInPeers(['sh', '-c', 'exit 42']).status, 42);
});
