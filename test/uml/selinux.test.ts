// SELinux labels of containers and of their mounts: set, seen, and what cannot be set stops the start.

import { peersMissing } from '../peers/harness.ts';
import { testInUml } from './checks.ts';
import { loadSelinux, selinuxPolicy } from './policies.ts';

// The policy of these tests has the categories c0 to c2; without a level caisson takes two of 256 at random.
const LEVEL = '--security-opt label=level:s0:c1,c2';

const CURRENT = `cat /proc/self/attr/current | tr -d '\\0'; echo`;
const BUNDLE = `
mkdir -p /tmp/bundle && cd /tmp/bundle && rm -f config.json && $EXECUTABLE oci spec
with() {
  perl -0pe 's/"terminal": true/"terminal": false/; s!"sh"!"/bin/sh","-c",$ENV{PROGRAM}!; s!"cwd"!$ENV{PROCESS} "cwd"!; s!"linux": \\{!"linux": { $ENV{LINUX}!; s!"path": "rootfs"!"path": "/tmp/rootfs"!' config.json >/tmp/changed
  cp /tmp/changed config.json
}`;

testInUml(
  'SELinux',
  {
    security: 'selinux',
    modules: ['overlay'],
    skip: peersMissing() ?? false,
    setUp: () => loadSelinux(selinuxPolicy()),
  },
  [
    {
      name: 'the label of the process: type from the policy of containers, level as asked for',
      script: `caisson ${LEVEL} "${CURRENT}"`,
      output: 'system_u:system_r:container_t:s0:c1,c2',
    },
    {
      name: 'a type of one’s own',
      script: `caisson ${LEVEL} --security-opt label=type:base_t "${CURRENT}"`,
      output: 'system_u:system_r:base_t:s0:c1,c2',
    },
    {
      name: 'the same under --init, as another user, without new privileges',
      script: `caisson --init ${LEVEL} --security-opt no-new-privileges --user 1000 "${CURRENT}"`,
      output: 'system_u:system_r:container_t:s0:c1,c2',
    },
    {
      name: 'label=disable and --privileged leave the label as it is',
      script: `for flag in --security-opt=label=disable --privileged; do caisson $flag "${CURRENT}"; done`,
      output: 'system_u:system_r:base_t:s0-s0:c0.c2\nsystem_u:system_r:base_t:s0-s0:c0.c2',
    },
    {
      name: 'a type that the policy lacks stops the start, and the flag is named',
      script: `caisson ${LEVEL} --security-opt label=type:nonsense_t 'echo started'`,
      output: /^caisson: [\s\S]*nonsense_t[\s\S]*EINVAL[\s\S]*--security-opt/,
      status: 125,
    },
    {
      name: 'new file systems of the container have the mount label, but for proc, sysfs, cgroups and mqueue',
      script: `caisson ${LEVEL} --tmpfs /work 'cut -d" " -f2,4 /proc/mounts | grep container_file_t:s0:c1,c2 | cut -d" " -f1 | sort | tr "\n" " "'`,
      output: '/dev /dev/pts /dev/shm /sys/firmware /work ',
    },
    {
      name: 'the image host is an overlay with that label',
      script: `host ${LEVEL} 'stat -c %C /etc/passwd /etc; touch /etc/new; stat -c %C /etc/new'`,
      output: Array(3).fill('system_u:object_r:container_file_t:s0:c1,c2').join('\n'),
    },
    {
      name: 'a bundle: process.selinuxLabel and linux.mountLabel',
      script: `${BUNDLE}
PROGRAM="\\"cat /proc/self/attr/current; echo; grep -c container_file_t:s0:c2 /proc/mounts\\""
PROCESS='"selinuxLabel": "system_u:system_r:container_t:s0:c2",'
LINUX='"mountLabel": "system_u:object_r:container_file_t:s0:c2",'
export PROGRAM PROCESS LINUX; with; $EXECUTABLE oci run labelled | tr -d '\\0'`,
      output: /^system_u:system_r:container_t:s0:c2\n[4-9]$/,
    },
    {
      name: 'a bundle whose mount label is none stops, and the mount is named',
      script: `${BUNDLE}
PROGRAM='"true"' PROCESS= LINUX='"mountLabel": "not:a:label",'
export PROGRAM PROCESS LINUX; with; $EXECUTABLE oci run mislabelled`,
      output: /^time=.* level=error .*mount tmpfs at \/dev: [\s\S]*EINVAL[\s\S]*\/mounts\/1/,
      status: 1,
    },
    {
      name: 'nothing is left',
      script: 'find /sys/fs/cgroup -mindepth 2 -type d',
      output: '',
    },
  ],
);

testInUml('SELinux without a policy is off', { security: 'selinux' }, [
  {
    name: 'a label that was asked for is refused, without a word there is none',
    script: `caisson --security-opt label=type:container_t 'echo started'; echo $?; caisson 'cat /proc/self/attr/current'`,
    output: /^caisson: .*SELinux is not enabled on this host.*\n125\nkernel/,
  },
]);
