// Golden cases: mounts, devices, masks, root, terminal.
import type { Mount, Spec } from '../../src/spec/runtime-spec.ts';
import { all, mountOptions, onlyMounts, withLinux, withMounts, withNamespace, withProcess, withUserNamespace } from './fixtures.ts';
import type { GoldenCase } from './golden-case.ts';
import { hostImage } from './host-image.ts';
import { goldenImage } from './image-root.ts';

const bind = (destination: string, source: string, ...options: readonly string[]): Mount => ({
  destination,
  source,
  type: 'bind',
  options: ['bind', ...options],
});
const data = (...options: readonly string[]) => withMounts(bind('/data', '/srv/data', ...options));
const tmpfs = (destination: string, ...options: readonly string[]): Mount => ({ destination, type: 'tmpfs', source: 'tmpfs', options });
const root = (change: Partial<NonNullable<Spec['root']>>) => (spec: Spec) => ({ ...spec, root: { path: 'rootfs', ...spec.root, ...change } });

/** A process that holds a user namespace with the mapping. */
const idmapped = { idmapped: new Map([['/mounts/7', 78]]) };
const mappings = { uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }], gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] };

export const MOUNT_CASES: readonly GoldenCase[] = [
  { name: 'mount-tmpfs', purpose: 'a tmpfs with size, mode and flags', change: withMounts(tmpfs('/tmp', 'nosuid', 'nodev', 'size=64k', 'mode=1777')) },
  { name: 'mount-tmpfs-nested', purpose: 'each missing directory of the way is made and held', change: withMounts(tmpfs('/a/b/c')) },
  { name: 'mount-below-mount', purpose: 'the second mount is below the first: its directory is made in the first', change: withMounts(tmpfs('/a'), tmpfs('/a/b')) },
  { name: 'mount-dots', purpose: 'a destination with dots and doubled slashes', change: withMounts(tmpfs('//a/./b/')) },
  { name: 'mount-parent-dots', purpose: 'a destination with ..: kept inside the root by openat2', change: withMounts(tmpfs('/a/../../b')) },
  { name: 'mount-over-mount', purpose: 'two mounts at one place: the second covers the first', change: withMounts(tmpfs('/a'), tmpfs('/a')) },
  { name: 'mount-proc-options', purpose: 'data of procfs', change: mountOptions('/proc', ['hidepid=2', 'subset=pid', 'ro']) },
  { name: 'mount-flags', purpose: 'super block flags go to fsconfig, access times to fsmount', change: withMounts(tmpfs('/x', 'sync', 'dirsync', 'noatime', 'nodiratime', 'noexec')) },
  { name: 'mount-times', purpose: 'the last access time option holds', change: withMounts(tmpfs('/x', 'noatime', 'relatime')) },
  { name: 'mount-sysfs-writable', purpose: 'sysfs without ro', change: mountOptions('/sys', ['nosuid']) },
  { name: 'mount-overlay', purpose: 'a file system with data of its own', change: withMounts({ destination: '/o', type: 'overlay', source: 'overlay', options: ['lowerdir=/a:/b', 'volatile'] }) },
  { name: 'mount-propagation', purpose: 'propagation after the mount is attached', change: withMounts(tmpfs('/x', 'rshared')) },
  { name: 'mount-none', purpose: 'no mounts at all', change: all(onlyMounts(), withLinux({ maskedPaths: [], readonlyPaths: [] })), show: 'full' },
  { name: 'mount-bytes', purpose: 'paths are bytes: Latin-1, quotes, newline, escape', change: withMounts(bind('/caf\xe9', '/srv/caf\xe9'), tmpfs('/a"b\\c'), tmpfs('/new\nline\x1b[31m')) },

  { name: 'bind-directory', purpose: 'a clone of the tree, moved onto a descriptor', change: data() },
  { name: 'bind-recursive', purpose: 'with what is mounted below', change: withMounts({ ...bind('/data', '/srv/data'), options: ['rbind'] }) },
  { name: 'bind-file', purpose: 'an empty file is made to mount on', change: withMounts(bind('/etc/hosts', '/etc/hosts', 'ro')) },
  { name: 'bind-socket', purpose: 'a socket is bound as a file is', change: withMounts(bind('/run/shared.sock', '/run/shared.sock')) },
  { name: 'bind-read-only', purpose: 'read-only before it is attached', change: data('ro', 'nosuid', 'nodev', 'noexec') },
  { name: 'bind-read-only-recursive', purpose: 'rro: with AT_RECURSIVE', change: data('rbind', 'rro') },
  { name: 'bind-clears', purpose: 'rw and exec clear flags of the source', change: data('rw', 'exec', 'suid') },
  { name: 'bind-times', purpose: 'an access time mode clears the old one', change: data('noatime') },
  { name: 'bind-propagation', purpose: 'rslave, then shared', change: data('rbind', 'rslave', 'shared') },
  { name: 'bind-missing', purpose: 'a source that is not there is taken for a directory; open_tree says ENOENT', change: withMounts(bind('/x', '/no/such')) },
  { name: 'bind-cpuinfo', purpose: 'a file of /proc that only informs', change: withMounts(bind('/proc/cpuinfo', '/etc/hosts')) },
  { name: 'bind-idmapped', purpose: 'mapped before it is attached', options: idmapped, change: withMounts({ ...bind('/data', '/srv/data', 'idmap'), ...mappings }) },
  { name: 'bind-idmapped-twice', purpose: 'each mount has a descriptor of the namespace that both share', options: { idmapped: new Map([['/mounts/7', 78], ['/mounts/8', 78]]) }, change: withMounts({ ...bind('/data', '/srv/data', 'idmap'), ...mappings }, { ...bind('/more', '/srv/data', 'idmap'), ...mappings }) },
  { name: 'bind-joined-user', purpose: 'opened before the launcher joins the user namespace', options: idmapped, change: all(withMounts({ ...bind('/data', '/srv/data', 'rbind', 'idmap'), ...mappings }), withNamespace('user', '/proc/77/ns/user')) },
  { name: 'bind-joined-user-own-map', purpose: 'idmap alone takes the maps of the joined user namespace', change: all(withMounts(bind('/data', '/srv/data', 'rbind', 'idmap')), withNamespace('user', '/proc/77/ns/user')) },
  { name: 'bind-idmapped-below-root', purpose: 'the child clones what it has mounted, the launcher sets the map in between', options: { idmapped: new Map([['/mounts/8', 78]]) }, change: all(withUserNamespace, withMounts(bind('/data', '/srv/data'), bind('/mapped', '/srv/rootfs/data', 'rbind', 'idmap')), root({ path: '/srv/rootfs' })) },
  { name: 'bind-idmapped-recursive', purpose: 'ridmap', options: idmapped, change: withMounts({ ...bind('/data', '/srv/data', 'rbind', 'ridmap'), ...mappings }) },

  { name: 'devices-more', purpose: 'a character device with owner, a block device, a fifo', change: withLinux({ devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o660, uid: 1000, gid: 1000 }, { path: '/dev/sdz', type: 'b', major: 8, minor: 400, fileMode: 0o600 }, { path: '/dev/pipe', type: 'p' }, { path: '/dev/u', type: 'u', major: 1, minor: 11 }] }) },
  { name: 'devices-nested', purpose: 'a directory is made for it', change: withLinux({ devices: [{ path: '/dev/net/tun', type: 'c', major: 10, minor: 200 }] }) },
  { name: 'devices-replaced', purpose: 'the configuration has its own /dev/null', change: withLinux({ devices: [{ path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o600 }] }) },
  { name: 'devices-bound-dev', purpose: 'a bound /dev is left alone', change: all(onlyMounts(bind('/dev', '/srv/data')), withLinux({ maskedPaths: [], readonlyPaths: [] })) },
  { name: 'devices-caller-namespace', purpose: "the caller is root of a user namespace already: the host's nodes are bound", facts: { initialUserNamespace: false } },
  { name: 'devices-mounted', purpose: 'a node that a mount at its path has made is proven to be the device', change: all(withMounts(bind('/dev/fuse', '/dev/fuse')), withLinux({ devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }] })) },
  { name: 'devices-ptmx', purpose: 'a link to the own devpts, whatever the configuration lists', change: withLinux({ devices: [{ path: '/dev/ptmx', type: 'c', major: 5, minor: 2 }] }) },
  { name: 'devices-user-namespace', purpose: "in a user namespace the host's nodes are bound", change: all(withUserNamespace, withLinux({ devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }] })) },

  { name: 'masks-none', purpose: 'nothing is masked', change: withLinux({ maskedPaths: [] }) },
  { name: 'masks-file', purpose: 'a file is covered by the null device', change: withLinux({ maskedPaths: ['/proc/kcore'] }) },
  { name: 'masks-directory', purpose: 'a directory is covered by an empty tmpfs', change: withLinux({ maskedPaths: ['/proc/acpi'] }) },
  { name: 'masks-absent', purpose: 'what this kernel does not have is no step', change: withLinux({ maskedPaths: ['/proc/latency_stats'] }) },
  { name: 'masks-unknown', purpose: 'a path of the image may be anything, or nothing', change: withLinux({ maskedPaths: ['/usr/lib/secret'] }) },
  { name: 'masks-unknown-6.1', purpose: 'the same on 6.1', level: '6.1', change: withLinux({ maskedPaths: ['/usr/lib/secret'] }) },
  { name: 'readonly-paths', purpose: 'a clone of the tree, read-only, over itself', change: withLinux({ readonlyPaths: ['/proc/sys', '/etc'] }) },

  { name: 'root-writable', purpose: 'the root is left writable', change: root({ readonly: false }) },
  ...(['shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate', 'unbindable', 'runbindable'] as const).map((propagation) => ({
    name: `root-${propagation}`,
    purpose: `rootfsPropagation ${propagation}: what the build keeps from the host, and what the root is in the end`,
    change: withLinux({ rootfsPropagation: propagation }),
  })),
  { name: 'root-no-pivot', purpose: 'move and chroot, when pivot_root cannot be', options: { noPivot: true, kernelMounts: ['/sys', '/proc'] } },

  { name: 'host-image', purpose: 'the files of this machine as an overlay, further file systems each as one of their own', options: { root: hostImage({}) } },
  { name: 'host-image-upper', purpose: 'changes are kept', options: { root: hostImage({ upper: '/srv/changes' }) } },
  { name: 'host-image-6.1', purpose: 'the same on 6.1', level: '6.1', options: { root: hostImage({ level: '6.1' }) } },
  { name: 'host-image-5.15', purpose: 'the same on 5.15', level: '5.15', options: { root: hostImage({ level: '5.15' }) } },
  { name: 'host-image-rootless', purpose: 'for an ordinary user: directory by directory, because a locked root cannot be overlaid', rootless: true, options: { root: hostImage({ userNamespace: true }) } },
  { name: 'host-image-rootless-6.1', purpose: 'the same on 6.1', rootless: true, level: '6.1', options: { root: hostImage({ userNamespace: true, level: '6.1' }) } },
  { name: 'host-image-user-namespace', purpose: 'root with a user namespace: sources are opened by the launcher', change: withUserNamespace, options: { root: hostImage({ userNamespace: true }) } },

  { name: 'image', purpose: 'an overlay of the layers, the changes in a directory that vanishes', options: { root: goldenImage({}) } },
  { name: 'image-upper', purpose: 'changes are kept: the disk is waited for', options: { root: goldenImage({ kept: true }) } },
  { name: 'image-upper-again', purpose: 'an upper directory that is there keeps its owner and mode', options: { root: goldenImage({ kept: true, fresh: false }) } },
  { name: 'image-label', purpose: 'the label of SELinux', options: { root: goldenImage({ layers: 1, label: 'system_u:object_r:container_file_t:s0:c1,c2' }) } },
  { name: 'image-empty', purpose: 'an image without layers stands on an empty directory', options: { root: goldenImage({ layers: 0 }) } },
  { name: 'image-6.1', purpose: 'by mount(2) and links, because lowerdir+ came with 6.5', level: '6.1', options: { root: goldenImage({ level: '6.1' }) } },
  { name: 'image-5.15', purpose: 'the same on 5.15, with the label', level: '5.15', options: { root: goldenImage({ level: '5.15', layers: 2, label: 'system_u:object_r:container_file_t:s0:c1,c2' }) } },
  { name: 'image-120-layers', purpose: 'more than a hundred layers', options: { root: goldenImage({ layers: 120 }) } },
  { name: 'image-120-layers-5.15', purpose: 'more than a hundred layers in the one page of mount(2)', level: '5.15', options: { root: goldenImage({ level: '5.15', layers: 120 }) } },
  { name: 'image-rootless', purpose: 'for an ordinary user: attributes of the overlay are user.*', rootless: true, options: { root: goldenImage({ userNamespace: true }) } },
  { name: 'image-rootless-5.15', purpose: 'the same on 5.15', rootless: true, level: '5.15', options: { root: goldenImage({ userNamespace: true, level: '5.15' }) } },
  { name: 'image-user-namespace', purpose: 'root with a user namespace: the launcher maps the ids of the layers and mounts, the child attaches', change: withUserNamespace, options: { root: goldenImage({ maps: '/proc/4242/ns/user' }) } },
  { name: 'image-user-namespace-upper', purpose: 'changes are kept, one layer says what the root directory is like', change: withUserNamespace, options: { root: goldenImage({ maps: '/proc/4242/ns/user', kept: true, layers: 1, label: 'system_u:object_r:container_file_t:s0:c1,c2' }) } },
  { name: 'image-user-namespace-6.1', purpose: 'by a mount namespace for the time being, because layers must be attached before 6.15', change: withUserNamespace, level: '6.1', options: { root: goldenImage({ maps: '/proc/4242/ns/user', level: '6.1' }) } },
  {
    name: 'image-user-namespace-5.15',
    purpose: 'overlays have no id-mapped layers before 5.19',
    change: withUserNamespace,
    level: '5.15',
    refused: true,
    get options() {
      return { root: goldenImage({ maps: '/proc/4242/ns/user', level: '5.15' }) };
    },
  },
  { name: 'image-joined-user-namespace', purpose: 'a user namespace that is there: its own maps', change: withNamespace('user', '/proc/7/ns/user'), options: { root: goldenImage({ maps: '/proc/7/ns/user' }) } },

  { name: 'terminal', purpose: 'a terminal of the container, its master sent to the launcher', change: withProcess({ terminal: true }) },
  { name: 'terminal-size', purpose: 'a window size from the start', change: withProcess({ terminal: true, consoleSize: { height: 24, width: 80 } }) },
  { name: 'terminal-user', purpose: 'the terminal belongs to the user', change: withProcess({ terminal: true, user: { uid: 1000, gid: 1000 } }) },
  { name: 'terminal-rootless', purpose: 'a terminal for an ordinary user', rootless: true, change: withProcess({ terminal: true }) },
];
