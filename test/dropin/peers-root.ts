// Where the peers' root is; it is made if need be.

import { spawnSync } from 'node:child_process';

let path: string | undefined;

/** Path of the peers' root on the host. */
export function peersRoot(): string {
  path ??= spawnSync('node', [`${process.cwd()}/scripts/peers.mjs`], { encoding: 'utf8' }).stdout.trim();
  return path;
}
