// Runs commands in the peers' root for tests: the newest runc, crun, podman and docker that Debian has.

import { spawnSync } from 'node:child_process';

/** How a command in the peers' root ended. */
export interface PeerResult {
  /** Exit status; null when a signal ended it or the time was up. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why there are no peers here, for `test(name, { skip })`; undefined where there are. */
export function peersMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'the peers run only as root';
  const found = spawnSync('sh', ['-c', 'command -v debootstrap'], { stdio: 'ignore' }).status === 0;
  return found ? undefined : 'the package debootstrap is not installed';
}

/**
 * Runs `command` in the peers' root, which is made if need be (40 s). /tmp and the repository are the host's own,
 * the rest is the root's; mounts made there are gone afterwards.
 * @param seconds after which the command is killed
 */
export function runInPeers(command: readonly string[], directory = '/tmp', seconds = 120): PeerResult {
  const script = `${process.cwd()}/scripts/peers.mjs`;
  const { status, stdout, stderr } = spawnSync('node', [script, 'exec', '--', ...command], {
    cwd: directory,
    encoding: 'utf8',
    timeout: seconds * 1000,
    maxBuffer: 1 << 26,
  });
  return { status, stdout, stderr };
}
