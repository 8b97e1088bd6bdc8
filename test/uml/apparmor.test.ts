// AppArmor profiles of containers: they confine, and what cannot be confined does not start (CVE-2019-16884).

import { peersMissing } from '../peers/harness.ts';
import { testInUml } from './checks.ts';
import { loadApparmor } from './policies.ts';

const PROFILE = `
profile caisson-test flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  signal,
  deny /etc/secret rw,
  deny /tmp/** w,
}`;

const CURRENT = 'cat /proc/self/attr/apparmor/current';

testInUml(
  'AppArmor',
  {
    security: 'apparmor',
    modules: ['overlay'],
    skip: peersMissing() ?? false,
    setUp: () => loadApparmor(PROFILE),
  },
  [
    {
      name: 'the profile is the label of the container, and confines it',
      script: `caisson --security-opt apparmor=caisson-test '${CURRENT}; cat /proc/1/attr/current; echo x >/tmp/file || echo denied; echo x >/etc/secret || echo denied; echo x >/etc/open && cat /etc/open' 2>/dev/null`,
      output: 'caisson-test (enforce)\ncaisson-test (enforce)\ndenied\ndenied\nx',
    },
    {
      name: 'the same in the image host, and under --init',
      script: `host --init --security-opt apparmor=caisson-test '${CURRENT}; echo x >/tmp/file || echo denied' 2>/dev/null`,
      output: 'caisson-test (enforce)\ndenied',
    },
    {
      name: 'with all else: no new privileges, seccomp, another user, no capabilities',
      script: `caisson --security-opt apparmor=caisson-test --security-opt no-new-privileges --user 1000:1000 --cap-drop ALL '${CURRENT}; id -u'`,
      output: 'caisson-test (enforce)\n1000',
    },
    {
      name: 'a profile that is not loaded stops the start, and the field is named',
      script: `caisson --security-opt apparmor=no-such-profile 'echo started'`,
      output: /^caisson: .*no-such-profile[\s\S]*ENOENT[\s\S]*apparmor/,
      status: 125,
    },
    {
      name: 'unconfined is said and done; without a word, nothing is written',
      script: `caisson --security-opt apparmor=unconfined '${CURRENT}'; caisson '${CURRENT}'`,
      output: 'unconfined\nunconfined',
    },
    {
      name: 'a bundle: its profile, and one that is not there',
      script: `
mkdir -p /tmp/bundle && cd /tmp/bundle && $EXECUTABLE oci spec
write() { perl -0pe 's/"terminal": true/"terminal": false/; s!"sh"!"cat","/proc/self/attr/apparmor/current"!; s!"cwd"!"apparmorProfile": "'$1'", "cwd"!; s!"path": "rootfs"!"path": "/tmp/rootfs"!' config.json >/tmp/changed && mv /tmp/changed config.json; }
write caisson-test; $EXECUTABLE oci run first
sed -i s/caisson-test/gone/ config.json; $EXECUTABLE oci run second`,
      output: /^caisson-test \(enforce\)\ntime=.* level=error .*gone[\s\S]*\/process\/apparmorProfile/,
      status: 1,
    },
    {
      name: 'an ordinary user can have a profile, too',
      script: `
cp $EXECUTABLE /tmp/executable; chown -R 65532:65532 $ROOT; mkdir /tmp/state; chown 65532 /tmp/state
setpriv --reuid 65532 --regid 65532 --clear-groups env XDG_RUNTIME_DIR=/tmp/state HOME=/tmp/state \\
  /tmp/executable run --rm --rootfs $ROOT --security-opt apparmor=caisson-test ${CURRENT}`,
      output: 'caisson-test (enforce)',
    },
    {
      name: 'nothing is left',
      script: 'find /sys/fs/cgroup -mindepth 2 -type d',
      output: '',
    },
  ],
);

testInUml('AppArmor, where it is off', {}, [
  {
    name: 'a profile that was asked for is refused',
    script: `caisson --security-opt apparmor=caisson-test 'echo started'`,
    output: /^caisson: .*AppArmor is not enabled on this host/,
    status: 125,
  },
  {
    name: 'unconfined is what it is',
    script: `caisson --security-opt apparmor=unconfined 'echo started'`,
    output: 'started',
  },
  {
    name: 'an SELinux label is refused, label=disable is not',
    script: `caisson --security-opt label=type:container_t 'echo started'; echo $?; caisson --security-opt label=disable 'echo started'`,
    output: /^caisson: .*SELinux is not enabled on this host.*\n125\nstarted$/,
  },
]);
