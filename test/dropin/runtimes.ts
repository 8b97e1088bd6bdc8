// The runtimes under test: runc says whether a test is right, caisson is what is tested.

import { existsSync } from 'node:fs';
import { peersRoot } from './peers-root.ts';

/** A runtime that the engines are given by path. */
export interface Runtime {
  readonly name: string;
  /** The executable on the host. */
  source(): string;
}

const RUNC: Runtime = {
  name: 'runc',
  source: () => {
    const found = ['usr/bin/runc', 'usr/sbin/runc'].map((path) => `${peersRoot()}/${path}`).find(existsSync);
    if (found === undefined) throw new Error("no runc in the peers' root");
    return found;
  },
};

const CAISSON: Runtime = {
  name: 'caisson-oci',
  source: () => process.env.CAISSON_OCI ?? `${process.cwd()}/dist/caisson-oci`,
};

/** Both, the one that judges the tests first; `CAISSON_DROPIN=runc` leaves the others out. */
export const RUNTIMES: readonly Runtime[] = [RUNC, CAISSON].filter(
  ({ name }) => (process.env.CAISSON_DROPIN ?? name) === name,
);

/** Whether the long matrix is wanted. */
export const LONG = process.env.CAISSON_LONG === '1';
