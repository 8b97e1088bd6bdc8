// Errors of a start name the field, the system call and the errno; the exit code is right; nothing is left.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { capabilities, Harness, MOUNTS, rootOnly } from '../harness/caisson.ts';
import { bind, linux, mount, network, process_, type Row, testRows } from './error-rows.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Refused by the kernel, in the middle of a start. */
const KERNEL: readonly Row[] = [
  {
    name: 'no bind source',
    parts: mount(bind('/no/such/source', '/data')),
    field: '/mounts/5/source',
    kernel: ['open_tree', 'ENOENT'],
  },
  {
    name: 'a file in the way of a directory',
    parts: mount(bind('/usr', '/etc/passwd')),
    field: '/mounts/5',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'a directory in the way of a file',
    parts: mount(bind('/etc/hostname', '/home')),
    field: '/mounts/5',
    kernel: ['move_mount', 'EINVAL'],
  },
  {
    name: 'below a file',
    parts: mount(bind('/usr', '/etc/passwd/x')),
    field: '/mounts/5',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'an unknown file system',
    parts: mount({ destination: '/x', type: 'nosuchfs', source: 'x' }),
    field: '/mounts/5',
    kernel: ['fsopen', 'ENODEV'],
  },
  {
    name: 'an option that the file system does not know',
    parts: mount({ destination: '/x', type: 'tmpfs', source: 'x', options: ['nosuchoption=1'] }),
    field: '/mounts/5',
    kernel: ['fsconfig', 'EINVAL'],
  },
  {
    name: 'a bad value of an option',
    parts: mount({ destination: '/x', type: 'tmpfs', source: 'x', options: ['size=lots'] }),
    field: '/mounts/5',
    kernel: ['fsconfig', 'EINVAL'],
  },
  {
    name: 'a namespace that is not there',
    parts: network('/no/such/namespace'),
    field: '/linux/namespaces/',
    kernel: ['openat', 'ENOENT'],
  },
  {
    name: 'a namespace that is none',
    parts: network('/etc/passwd'),
    field: '/linux/namespaces/',
    kernel: ['ioctl', 'ENOTTY'],
  },
  {
    name: 'a namespace of another type',
    parts: network('/proc/self/ns/uts'),
    field: '/linux/namespaces/',
    says: /EINVAL/,
  },
  {
    name: 'a working directory that is a file',
    parts: process_({ cwd: '/etc/passwd' }),
    field: '/process/cwd',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'no program',
    parts: process_({ args: ['/no/such/program'] }),
    field: '/process/args',
    says: /exec: "\/no\/such\/program": no such file or directory$/,
  },
  {
    name: 'a program that is data',
    parts: process_({ args: ['/etc/passwd'] }),
    field: '/process/args',
    says: /exec: "\/etc\/passwd": permission denied$/,
  },
  {
    name: 'a sysctl that does not exist',
    parts: linux({ sysctl: { 'net.no.such.key': '1' } }),
    field: '/linux/sysctl/net.no.such.key',
    kernel: ['openat2', 'ENOENT'],
  },
  {
    name: 'a sysctl with a bad value',
    parts: linux({ sysctl: { 'net.ipv4.ip_forward': 'yes' } }),
    field: '/linux/sysctl/net.ipv4.ip_forward',
    kernel: ['write', 'EINVAL'],
  },
  {
    name: 'a limit above the hard one',
    parts: process_({ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 9999999, hard: 9999999 }] }),
    field: '/process/rlimits/0',
    kernel: ['prlimit64', 'EPERM'],
  },
  {
    name: 'an unmapped user',
    parts: process_({ user: { uid: 12345, gid: 0 } }),
    field: '/process/user',
    kernel: ['setresuid', 'EINVAL'],
    who: 'user',
  },
  {
    name: 'an unmapped group',
    parts: process_({ user: { uid: 0, gid: 12345 } }),
    field: '/process/user',
    kernel: ['setresgid', 'EINVAL'],
    who: 'user',
  },
  {
    name: "ids that are not the caller's",
    parts: linux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
    field: '/linux/uidMappings',
    who: 'user',
  },
  {
    name: 'a device where another one is',
    parts: linux({ devices: [{ path: '/dev/pts', type: 'c', major: 1, minor: 3 }] }),
    field: '/linux/devices/0',
    // mknodat(2) may find what a mount has brought; that it is something else is what is checked.
    kernel: ['CHECK', 'EEXIST'],
    who: 'root',
  },
  {
    name: 'a real-time period without rights',
    parts: process_({
      scheduler: { policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 1000000, period: 100 },
    }),
    field: '/process/scheduler',
  },
  {
    name: 'a memory node that does not exist',
    parts: linux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '63' } }),
    field: '/linux/memoryPolicy',
    kernel: ['set_mempolicy', 'EINVAL'],
  },
  {
    name: 'a terminal without devpts',
    parts: {
      ...process_({ terminal: true }),
      mounts: MOUNTS.filter(({ destination }) => destination !== '/dev/pts'),
    },
    field: '/process/terminal',
    kernel: ['openat2', 'ENOENT'],
  },
  {
    name: 'a cpuset that does not exist',
    parts: linux({ resources: { cpu: { cpus: '0-4095' } } }),
    field: '/linux/resources/cpu/cpus',
    says: /E(?:INVAL|RANGE|ACCES)/,
    who: 'root',
  },
];

testRows(harness, 'the kernel refuses', KERNEL);

test('a capability that the caller lacks is not given, and nothing fails', { skip: rootOnly }, () => {
  const process = { capabilities: capabilities(['CAP_CHOWN', 'CAP_SYS_RESOURCE']) };
  const output = harness.ociOutput({ process }, 'grep CapEff /proc/self/status | cut -f2');
  assert.ok(['0000000000000001', '0000000001000001'].includes(output), output);
});
