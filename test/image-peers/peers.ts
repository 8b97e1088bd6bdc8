// The peers of these tests, skopeo, podman and umoci, run in the peers' root, where /tmp and the network are this host's.
import assert from 'node:assert/strict';
import { skip } from '../harness/caisson.ts';
import { peersMissing as missingPeers, runInPeers } from '../peers/harness.ts';

/** Why tests with peers cannot run here. */
export const peersMissing: string | false = skip || (missingPeers() ?? false);

/** Runs a command in the peers' root; it must succeed. */
export function peer(...command: readonly string[]): string {
  const { status, stdout, stderr } = runInPeers(command);
  assert.equal(status, 0, `${command.join(' ')}: ${stderr}${stdout}`);
  return stdout.replace(/\n$/, '');
}

/** skopeo, with registries of loopback that speak no TLS. */
export function skopeo(...args: readonly string[]): string {
  return peer('skopeo', '--insecure-policy', ...args);
}

/** podman with a store of its own in `directory`, without cgroups, networks or a daemon. */
export function podman(directory: string, ...args: readonly string[]): string {
  const places = ['--root', `${directory}/podman`, '--runroot', `${directory}/podman-run`];
  const quiet = ['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--log-level', 'error'];
  return peer('podman', ...places, ...quiet, ...args);
}
