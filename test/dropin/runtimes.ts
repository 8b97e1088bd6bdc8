// The runtimes under test: runc says whether a test is right, caisson is what is tested.

import { existsSync } from 'node:fs';
import { peersRoot } from './peers-root.ts';

/** A runtime that the engines are given by path. */
export interface Runtime {
  /** In the names of tests. */
  readonly label: string;
  /** The file name of the executable. */
  readonly name: string;
  /** The directory of its state below /run or XDG_RUNTIME_DIR, where an engine gives it none. */
  readonly state: string;
  /** The executable on the host. */
  source(): string;
}

const RUNC: Runtime = {
  label: 'runc',
  name: 'runc',
  state: 'runc',
  source: () => {
    const found = ['usr/bin/runc', 'usr/sbin/runc'].map((path) => `${peersRoot()}/${path}`).find(existsSync);
    if (found === undefined) throw new Error("no runc in the peers' root");
    return found;
  },
};

const CAISSON: Runtime = {
  label: 'caisson-oci',
  name: 'caisson-oci',
  state: 'caisson',
  source: () => process.env.CAISSON_OCI ?? `${process.cwd()}/dist/caisson-oci`,
};

/** The same on Bun: dist/caisson-bun is the OCI runtime where it is called by that name. */
const ON_BUN: Runtime = {
  ...CAISSON,
  label: 'caisson-oci on Bun',
  source: () => process.env.CAISSON ?? `${process.cwd()}/dist/caisson-bun`,
};

/** Whether the long matrix is wanted. */
export const LONG = process.env.CAISSON_LONG === '1';

/** All, the one that judges the tests first; `CAISSON_DROPIN=LABEL` leaves the others out. */
export const RUNTIMES: readonly Runtime[] = [RUNC, CAISSON, ON_BUN].filter((runtime) => {
  const wanted = process.env.CAISSON_DROPIN;
  return wanted === undefined ? LONG || runtime !== ON_BUN : runtime.label === wanted;
});
