// The programs that are compared, as command lines; `ID` and `NAME` differ in every run.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Site } from './site.ts';

export interface Contestant {
  readonly name: string;
  readonly what: string;
  readonly command: readonly string[];
  /** The mount namespace that it runs in, where it is not this one. */
  readonly namespace?: string;
}

const CAISSON = resolve('dist/caisson');
const ON_BUN = resolve('dist/caisson-bun');

/** Runs of `true`, from the start of the program to its end. Absent programs are left out. */
export function runs(site: Site): Contestant[] {
  const { bundle, rootfs, v1, peers } = site;
  const oci = ['run', '--bundle', bundle, 'ID'];
  const all: Contestant[] = [
    { name: 'caisson', what: 'dist/caisson oci run', command: [CAISSON, 'oci', ...oci] },
    {
      name: 'caisson v1',
      what: 'the same where crun runs',
      command: [CAISSON, 'oci', ...oci],
      namespace: v1,
    },
    { name: 'caisson on Bun', what: 'dist/caisson-bun oci run', command: [ON_BUN, 'oci', ...oci] },
    { name: 'crun', what: "newest Debian's", command: ['/usr/bin/crun', ...oci], namespace: peers },
    { name: 'crun 12', what: "Debian 12's", command: ['/usr/bin/crun', ...oci], namespace: v1 },
    { name: 'runc', what: "newest Debian's", command: ['/usr/sbin/runc', ...oci], namespace: peers },
    { name: 'runc 12', what: "Debian 12's", command: ['/usr/sbin/runc', ...oci] },
    { name: 'bubblewrap', what: 'no cgroups, no seccomp', command: bubblewrap(rootfs) },
    { name: 'unshare', what: 'namespaces and chroot alone', command: unshare(rootfs) },
  ];
  return all.filter(({ command, namespace }) => namespace === peers || existsSync(command[0] ?? ''));
}

function bubblewrap(rootfs: string): string[] {
  const mounts = ['--ro-bind', rootfs, '/', '--proc', '/proc', '--dev', '/dev'];
  return ['/usr/bin/bwrap', '--unshare-all', '--hostname', 'NAME', ...mounts, '/bin/true'];
}

function unshare(rootfs: string): string[] {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--fork'];
  return ['/usr/bin/unshare', ...namespaces, '/usr/sbin/chroot', rootfs, '/bin/true'];
}

/** Programs that do nothing: what the executable costs before it does anything. */
export function starts(site: Site): Contestant[] {
  return [
    { name: 'caisson --version', what: 'dist/caisson', command: [CAISSON, '--version'] },
    { name: 'caisson-bun --version', what: 'dist/caisson-bun', command: [ON_BUN, '--version'] },
    { name: 'empty', what: 'an empty program, compiled by Bun', command: [site.empty] },
  ];
}
