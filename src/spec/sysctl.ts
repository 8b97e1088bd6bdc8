// Kernel parameters that belong to a namespace, and where they are below /proc/sys.

import type { Bytes } from '../linux/bytes.ts';
import { type Check, type Fields, quote } from './check.ts';
import type { LinuxNamespaceType } from './linux-spec.ts';

/** ipc_namespaces(7): all of /proc/sys/kernel that is the IPC namespace's. */
const IPC_KEYS: ReadonlySet<Bytes> = new Set([
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'kernel/shm_rmid_forced',
]);

/**
 * The path of a sysctl below /proc/sys: `net.ipv4.ip_forward` or `net/ipv4/ip_forward`. Whichever separator
 * comes first is the separator; the other one then stands for it inside a name (sysctl(8): `net.ipv4.conf.eno2/100`
 * is the device eno2.100). Undefined for what is not such a key: `net..x` and `net.//.x` would leave the directory.
 */
export function sysctlPath(key: Bytes): Bytes | undefined {
  if (!/^[A-Za-z0-9_.:@/-]{1,255}$/.test(key)) return undefined;
  const first = /[./]/.exec(key);
  if (first === null) return undefined;
  const path = first[0] === '/' ? key : key.replace(/[./]/g, (char) => (char === '.' ? '/' : '.'));
  const names = path.split('/');
  return names.some((name) => name === '' || name === '.' || name === '..') ? undefined : path;
}

/** The namespace that a sysctl path belongs to; undefined for what is the whole machine's. */
export function sysctlNamespace(path: Bytes): LinuxNamespaceType | undefined {
  if (IPC_KEYS.has(path) || path.startsWith('fs/mqueue/')) return 'ipc';
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('user/')) return 'user';
  if (path === 'kernel/domainname' || path === 'kernel/hostname') return 'uts';
  return undefined;
}

/**
 * Checks one entry of linux.sysctl (T25, CVE-2022-0811): one key, one value, of a namespace that the container
 * has. Whether a joined network namespace is the host's own is for the runtime to find out.
 */
export function checkSysctl(map: Fields, key: Bytes, namespaces: ReadonlySet<Bytes>, c: Check): void {
  c.text(map, key, (value) => (/[\n\r]/.test(value) ? 'the value contains a line break' : undefined));
  const path = sysctlPath(key);
  if (path === undefined) {
    c.fail(key, `${quote(key)} is not the name of a kernel parameter`);
    return;
  }
  if (path === 'kernel/hostname') {
    c.fail(key, 'set the host name by /hostname, not by a sysctl');
    return;
  }
  const namespace = sysctlNamespace(path);
  if (namespace === undefined) {
    c.fail(key, `${quote(key)} belongs to no namespace: it would change the whole machine`);
  } else if (!namespaces.has(namespace)) {
    c.fail(
      key,
      `${quote(key)} needs a ${namespace} namespace in /linux/namespaces: without it, it is the host's`,
    );
  }
}
