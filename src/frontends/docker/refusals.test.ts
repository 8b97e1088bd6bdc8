// What is refused, and in which words: a flag that is wrong, cannot hold here, or comes later.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrontendFacts } from './facts.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, ROOT_HOST, USER_HOST } from './test-facts.ts';

type Row = readonly [RunFlags, string];

function check(rows: readonly Row[], facts: FrontendFacts = ROOT_HOST): void {
  for (const [flags, message] of rows)
    assert.equal(
      messageOf(() => compile(flags, facts)),
      message,
      JSON.stringify(flags),
    );
}

test('values that are none', () => {
  check([
    [{ memory: 'abc' }, `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'`],
    [
      { memorySwap: '-2', memory: '8m' },
      `invalid argument "-2" for "--memory-swap" flag: invalid size: '-2'`,
    ],
    [{ shmSize: 'x' }, `invalid argument "x" for "--shm-size" flag: invalid size: 'x'`],
    [{ cpus: 'x' }, 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'],
    [
      { cpuShares: '1.5' },
      'invalid argument "1.5" for "-c, --cpu-shares" flag: not a whole number of 64 bits',
    ],
    [{ oomScoreAdj: 'z' }, 'invalid argument "z" for "--oom-score-adj" flag: not a whole number'],
    [
      { oomScoreAdj: '5000' },
      'invalid argument "5000" for "--oom-score-adj" flag: invalid value 5000, range for oom score adj is [-1000, 1000]',
    ],
    [{ ulimit: ['foo=1'] }, 'invalid argument "foo=1" for "--ulimit" flag: invalid ulimit type: foo'],
    [
      { ulimit: ['NOFILE=1'] },
      'invalid argument "NOFILE=1" for "--ulimit" flag: invalid ulimit type: NOFILE',
    ],
    [
      { ulimit: ['nofile'] },
      'invalid argument "nofile" for "--ulimit" flag: invalid ulimit argument: nofile',
    ],
    [
      { ulimit: ['nofile=5:3'] },
      'invalid argument "nofile=5:3" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 5 > 3',
    ],
    [
      { ulimit: ['nofile=-1:1'] },
      'invalid argument "nofile=-1:1" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: -1 > 1',
    ],
    [
      { ulimit: ['nofile=18446744073709551616'] },
      'invalid argument "nofile=18446744073709551616" for "--ulimit" flag: "18446744073709551616" is not a limit',
    ],
    [{ capAdd: ['FOO'] }, 'invalid argument "FOO" for "--cap-add" flag: unknown capability: "FOO"'],
    [{ env: ['=x'] }, 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'],
    [{ label: ['=a'] }, `invalid argument "=a" for "-l, --label" flag: invalid label '=a': empty name`],
    [
      { name: '!' },
      'invalid argument "!" for "--name" flag: invalid container name (!), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    ],
    [
      { name: '../x' },
      'invalid argument "../x" for "--name" flag: invalid container name (../x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    ],
    [
      { workdir: 'x' },
      `invalid argument "x" for "-w, --workdir" flag: the working directory 'x' is invalid, it needs to be an absolute path`,
    ],
    [{ stopSignal: 'FOO' }, 'invalid argument "FOO" for "--stop-signal" flag: invalid signal: FOO'],
    [{ detachKeys: 'ctrl-1' }, "--detach-keys ctrl-1: invalid detach keys: unknown character: 'ctrl-1'"],
    [{ addHost: ['foo'] }, 'invalid argument "foo" for "--add-host" flag: bad format for add-host: "foo"'],
    [
      { addHost: ['foo:bar'] },
      'invalid argument "foo:bar" for "--add-host" flag: invalid IP address in add-host: "bar"',
    ],
    [{ dns: ['foo'] }, 'invalid argument "foo" for "--dns" flag: IP address is not correctly formatted: foo'],
    [
      { securityOpt: ['foo'] },
      'invalid argument "foo" for "--security-opt" flag: invalid --security-opt: "foo"',
    ],
    [
      { securityOpt: ['seccomp'] },
      'invalid argument "seccomp" for "--security-opt" flag: invalid --security-opt: "seccomp"',
    ],
    [{ securityOpt: ['mask=/etc'] }, '--security-opt mask=/etc: /etc is not below /proc or /sys'],
    [{ sysctl: ['foo'] }, `invalid argument "foo" for "--sysctl" flag: sysctl 'foo' is not allowed`],
    [
      { sysctl: ['kernel.core_pattern=x'] },
      `invalid argument "kernel.core_pattern=x" for "--sysctl" flag: sysctl 'kernel.core_pattern=x' is not allowed`,
    ],
    [
      { sysctl: ['net.../x=1'] },
      `invalid argument "net.../x=1" for "--sysctl" flag: sysctl 'net.../x=1' is not allowed`,
    ],
    [
      { sysctl: ['net.a=1\nkernel.x=2'] },
      'invalid argument "net.a=1\\nkernel.x=2" for "--sysctl" flag: a value of one line is wanted',
    ],
    [
      { hostname: 'a b' },
      'invalid argument "a b" for "-h, --hostname" flag: invalid hostname: at most 64 bytes, no blanks',
    ],
    [
      { scheduler: 'fifo' },
      'invalid argument "fifo" for "--scheduler" flag: the forms are other[:NICE], batch[:NICE], idle, fifo:1-99, rr:1-99, deadline:RUNTIME,DEADLINE,PERIOD',
    ],
    [{ personality: 'bsd' }, 'invalid argument "bsd" for "--personality" flag: known are linux and linux32'],
    [{ user: '4294967295' }, 'user id 4294967295 is out of range: 0 to 4294967294'],
    [{ user: '-1' }, 'unable to find user -1: no matching entries in passwd file'],
    [{ umask: '8' }, 'invalid argument "8" for "--umask" flag: not an octal number such as 022'],
    [
      { cgroupParent: '/a/../b' },
      'invalid argument "/a/../b" for "--cgroup-parent" flag: a path without .. and without line breaks is wanted',
    ],
  ]);
});

test('files that are not there', () => {
  check([
    [{ envFile: ['/no'] }, '--env-file /no: open /no: no such file or directory'],
    [{ labelFile: ['/no'] }, '--label-file /no: open /no: no such file or directory'],
    [
      { securityOpt: ['seccomp=/no'] },
      '--security-opt seccomp=/no: opening seccomp profile (/no) failed: open /no: no such file or directory',
    ],
  ]);
  const facts = {
    ...ROOT_HOST,
    files: new Map([
      ['f', 'A=1\nB C=2\n'],
      ['g', '=1\n'],
      ['h', 'A=\0'],
    ]),
  };
  check(
    [
      [{ envFile: ['f'] }, "f:2: variable 'B C' contains whitespaces"],
      [{ envFile: ['g'] }, "g:1: no variable name on line '=1'"],
      [{ envFile: ['h'] }, 'h:1: a NUL byte'],
    ],
    facts,
  );
});

test('what this host cannot', () => {
  check([
    [{ securityOpt: ['apparmor=x'] }, '--security-opt apparmor=x: AppArmor is not enabled on this host'],
    [{ securityOpt: ['label=type:x'] }, '--security-opt label=type:x: SELinux is not enabled on this host'],
    [
      { userns: 'private' },
      '--userns private: no subordinate ids for this user in /etc/subuid; give --uidmap and --gidmap',
    ],
    [{ cpus: '3' }, '--cpus 3: range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
    [
      { cpusetCpus: '0-2' },
      '--cpuset-cpus 0-2: requested CPUs are not available - requested 0-2, available: 0-1',
    ],
  ]);
  check([[{ capAdd: ['BPF'] }, '--cap-add BPF: this kernel has no CAP_BPF']], {
    ...ROOT_HOST,
    lastCapability: 37,
  });
});

test('an ordinary user without delegated cgroups', () => {
  const reason = "of cgroup v2 is not delegated to user 1000 (see 'caisson doctor')";
  check(
    [
      [{ memory: '64m' }, `--memory 64m: the memory controller ${reason}`],
      [{ cpus: '1' }, `--cpus 1: the cpu controller ${reason}`],
      [{ cpuShares: '2' }, `--cpu-shares 2: the cpu controller ${reason}`],
      [{ cpusetCpus: '0' }, `--cpuset-cpus 0: the cpuset controller ${reason}`],
      [{ pidsLimit: '20' }, `--pids-limit 20: the pids controller ${reason}`],
      [{ blkioWeight: '100' }, `--blkio-weight 100: the io controller ${reason}`],
      [{ cgroupParent: '/x' }, '--cgroup-parent /x: no cgroup is delegated to this user'],
      [{ deviceCgroupRule: ['c 1:3 r'] }, '--device-cgroup-rule c 1:3 r: device rules need root'],
      [{ user: '70000' }, '--user 70000: user id 70000 is not mapped in the user namespace'],
      [{ groupAdd: ['70000'] }, '--group-add 70000: group id 70000 is not mapped in the user namespace'],
      [{ userns: 'host' }, 'conflicting options: --userns host and a new mount namespace without root'],
    ],
    USER_HOST,
  );
  const v1 = { ...USER_HOST, cgroups: { ...USER_HOST.cgroups, version: 'v1' as const } };
  check(
    [
      [
        { memory: '64m' },
        "--memory 64m: an ordinary user cannot limit resources with cgroup v1 (see 'caisson doctor')",
      ],
    ],
    v1,
  );
});

test('conflicts', () => {
  check([
    [{ cpus: '1', cpuPeriod: '1000' }, 'conflicting options: --cpus 1 and --cpu-period 1000'],
    [{ uts: 'host', hostname: 'x' }, 'conflicting options: --hostname x and --uts host'],
    [{ pid: 'host', pidNs: 'new' }, 'conflicting options: --pid host and --pid-ns new'],
    [{ rootfs: 'a', rootfsTar: 'b' }, 'conflicting options: --rootfs a and --rootfs-tar b'],
    [{ mountNs: 'host', volume: ['/a:/b'] }, 'conflicting options: --volume /a:/b and --mount-ns host'],
    [{ namespaces: 'pid', readOnly: true }, 'conflicting options: --read-only and --namespaces pid'],
    [{ ipc: 'host', shmSize: '1m' }, 'conflicting options: --shm-size 1m and --ipc host'],
    [
      { network: 'host', sysctl: ['net.core.x=1'] },
      "--sysctl net.core.x=1: not allowed in the host's network namespace: it would change the host",
    ],
    [
      { timeNs: 'host', timensOffset: ['boottime=1'] },
      'invalid argument "boottime=1" for "--timens-offset" flag: needs a new time namespace',
    ],
  ]);
});

test('what comes later is refused by name', () => {
  check([
    [{ network: 'front' }, 'caisson run: --network front comes with networks (issue 6), not there yet'],
    [
      { pid: 'container:x' },
      'caisson run: --pid container:x comes with detached containers (issue 5), not there yet',
    ],
    [
      { mount: ['type=image,source=v,target=/x'] },
      'caisson run: --mount type=image,source=v,target=/x: type=image comes with a later issue, not there yet',
    ],
    [
      { addHost: ['h:host-gateway'] },
      'caisson run: --add-host h:host-gateway comes with networks (issue 6), not there yet',
    ],
  ]);
});

test('no command at all', () => {
  assert.equal(
    messageOf(() => compile({}, ROOT_HOST, {}, [])),
    'no command specified: give one, or use an image that has one',
  );
  assert.equal(
    messageOf(() => compile({}, ROOT_HOST, {}, [''])),
    'the command is empty',
  );
});
