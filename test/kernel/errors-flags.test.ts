// A flag that cannot hold is named, with the system call's errno where the kernel refused; nothing is left.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Harness, rootless, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Flags that must fail, and what must be said. */
const FLAGS: readonly (readonly [readonly string[], RegExp, ('root' | 'user')?])[] = [
  [['-v', '/no/such/source:/data'], /ENOENT[\s\S]*caused by --volume \/no\/such\/source:\/data/],
  [
    ['--mount', 'type=bind,src=/no/such,dst=/x'],
    /ENOENT[\s\S]*caused by --mount type=bind,src=\/no\/such,dst=\/x/,
  ],
  [['-v', '/usr:/etc/passwd'], /ENOTDIR[\s\S]*caused by --volume \/usr:\/etc\/passwd/],
  [['-v', '/usr:relative'], /relative[\s\S]*absolute/],
  [['-w', '/etc/passwd'], /ENOTDIR[\s\S]*caused by --workdir \/etc\/passwd/],
  [['-u', 'nobody-here'], /nobody-here[\s\S]*caused by --user nobody-here/],
  [['-u', ':no-such-group'], /no-such-group/],
  [['--group-add', 'no-such-group'], /no-such-group/],
  [['--sysctl', 'kernel.panic=1'], /kernel\.panic/],
  [['--sysctl', 'net.ipv4.ip_forward=yes'], /EINVAL[\s\S]*caused by --sysctl net\.ipv4\.ip_forward=yes/],
  [['--ulimit', 'nofile=9999999'], /EPERM[\s\S]*caused by --ulimit nofile=9999999/],
  [['--ulimit', 'nosuch=1'], /nosuch/],
  [['--cap-add', 'NO_SUCH'], /NO_SUCH/],
  [['--device', '/dev/no-such-device'], /\/dev\/no-such-device/],
  [['--device', '/etc/passwd'], /not a device node/],
  [['--security-opt', 'nonsense'], /nonsense/],
  [['--security-opt', 'apparmor=some-profile'], /--security-opt apparmor=some-profile: AppArmor/],
  [['--security-opt', 'seccomp=/no/such/profile.json'], /\/no\/such\/profile\.json/],
  [['--net-ns', '/no/such/namespace'], /ENOENT[\s\S]*caused by --net-ns \/no\/such\/namespace/],
  [['--net-ns', '/proc/self/ns/uts'], /EINVAL[\s\S]*caused by --net-ns/],
  [['--namespaces', 'mnt,web'], /unknown namespace 'web'/],
  [['--hostname', 'h'.repeat(65)], /--hostname|host name/],
  [['--memory', '1k'], /--memory|memory limit/i],
  [['--memory', 'lots'], /lots/],
  [['--cpus', '1000'], /--cpus/, 'root'],
  [['--cpuset-cpus', '4000'], /--cpuset-cpus 4000/, 'root'],
  [['--pids-limit', 'many'], /many/],
  [['--umask', '9'], /--umask/],
  [['--tmpfs', '/t:size=lots'], /"\/t:size=lots" for "--tmpfs"/],
  [['--shm-size', '-1'], /shm-size/],
  [['--env-file', '/no/such/file'], /\/no\/such\/file/],
  [['--env-file', '/etc'], /\/etc cannot be read: EISDIR/],
  [['--rootfs-tar', '/etc'], /\/etc/],
  [['--rootfs-tar', '/etc/passwd'], /\/etc\/passwd/],
  [['--rootfs-tar', '/no/such/tar'], /--rootfs-tar \/no\/such\/tar/],
  [['--rootfs', '/etc/passwd'], /--rootfs \/etc\/passwd/],
  [['--rootfs', '/no/such/root'], /--rootfs \/no\/such\/root/],
  [['--network', 'bridge'], /bridge[\s\S]*issue 6/],
  [['--publish', '80:80'], /--publish|issue 6/],
  [['--oom-score-adj', '5000'], /5000/],
  [['--timens-offset', 'realtime=5'], /realtime/],
  [['--uidmap', '0:0'], /.*/, 'user'],
  [['--no-such-flag'], /no-such-flag/],
];

for (const [flags, message, who] of FLAGS) {
  const elsewhere = who !== undefined && (who === 'user') !== rootless ? 'the other round' : false;
  test(`a flag is named: ${flags.join(' ').slice(0, 60)}`, { skip: skip || elsewhere }, () => {
    const { code, stdout, stderr } = harness.run(flags, 'echo the container ran');
    assert.equal(stdout, '', stderr);
    assert.equal(code, 125, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^caisson[: ]/);
    assert.doesNotMatch(stderr, /unexpected|undefined|\n {4,}at /);
  });
}

test('nothing is left of those either', { skip }, () => {
  harness.assertNothingLeft();
});
