// Limits: memory, CPU, pids, block I/O and devices, on cgroup v1 and v2.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrontendFacts } from './facts.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, part, ROOT_HOST, USER_HOST } from './test-facts.ts';

const V1: FrontendFacts = { ...ROOT_HOST, cgroups: { ...ROOT_HOST.cgroups, version: 'v1' } };
const M = 1024 * 1024;

function check(field: string, rows: readonly (readonly [RunFlags, unknown])[], facts = ROOT_HOST): void {
  for (const [flags, expected] of rows) {
    assert.deepEqual(part(`/linux/resources/${field}`, flags, facts), expected, JSON.stringify(flags));
  }
}

test('memory', () => {
  check('memory', [
    [{}, undefined],
    [{ memory: '0' }, undefined],
    [{ memory: '64m' }, { limit: 64 * M, swap: 128 * M }],
    [
      { memory: '64m', memorySwap: '64m' },
      { limit: 64 * M, swap: 64 * M },
    ],
    [
      { memory: '64m', memorySwap: '-1' },
      { limit: 64 * M, swap: -1 },
    ],
    [
      { memory: '64m', memorySwap: '0' },
      { limit: 64 * M, swap: 128 * M },
    ],
    [
      { memory: '64m', memoryReservation: '32m' },
      { limit: 64 * M, reservation: 32 * M, swap: 128 * M },
    ],
    [{ memory: '8191p' }, { limit: 9222246136947933184n, swap: 2n ** 63n - 1n }],
    [{ memorySwappiness: '-1' }, undefined],
    [{ memorySwappiness: '60' }, undefined],
    [{ oomKillDisable: true }, undefined],
  ]);
  check(
    'memory',
    [
      [
        { memorySwappiness: '60', oomKillDisable: true },
        { swappiness: 60, disableOOMKiller: true },
      ],
    ],
    V1,
  );
  const noSwap = { ...ROOT_HOST, cgroups: { ...ROOT_HOST.cgroups, swap: false } };
  check('memory', [[{ memory: '64m' }, { limit: 64 * M }]], noSwap);
  assert.deepEqual(compile({ memory: '64m', memorySwap: '-1' }, noSwap).warnings.length, 1);
  assert.deepEqual(compile({ memorySwappiness: '60', oomKillDisable: true }).warnings, [
    'cgroup v2 has no memory swappiness; --memory-swappiness is discarded',
    'cgroup v2 cannot disable the OOM killer; --oom-kill-disable is discarded',
  ]);
  assert.equal(compile({ memory: '64m' }).sources.get('/linux/resources/memory/swap'), '--memory 64m');
});

test('CPU', () => {
  check('cpu', [
    [{}, undefined],
    [{ cpus: '1.5' }, { period: 100000, quota: 150000 }],
    [{ cpus: '0.01' }, { period: 100000, quota: 1000 }],
    [{ cpus: '0' }, undefined],
    [{ cpuShares: '512' }, { shares: 512 }],
    [{ cpuShares: '0' }, undefined],
    [
      { cpuPeriod: '50000', cpuQuota: '25000' },
      { period: 50000, quota: 25000 },
    ],
    [{ cpuQuota: '-1' }, { quota: -1 }],
    [
      { cpusetCpus: '0,1', cpusetMems: '0' },
      { cpus: '0,1', mems: '0' },
    ],
  ]);
});

test('pids and unified keys', () => {
  check('pids', [
    [{}, { limit: 2048 }],
    [{ pidsLimit: '20' }, { limit: 20 }],
    [{ pidsLimit: '0' }, { limit: -1 }],
    [{ pidsLimit: '-1' }, { limit: -1 }],
  ]);
  check('pids', [[{}, undefined]], USER_HOST);
  check('unified', [[{ cgroupConf: ['memory.high=64M'] }, { 'memory.high': '64M' }]]);
  assert.equal(
    messageOf(() => compile({ cgroupConf: ['memory.high=1'] }, V1)),
    '--cgroup-conf memory.high=1: this host has no cgroup v2 tree with controllers',
  );
});

test('block I/O', () => {
  check('blockIO', [
    [{ blkioWeight: '100' }, { weight: 100 }],
    [{ blkioWeight: '0' }, undefined],
    [{ blkioWeightDevice: ['/dev/sda:500'] }, { weightDevice: [{ major: 8, minor: 0, weight: 500 }] }],
    [
      { deviceReadBps: ['/dev/sda:1mb'], deviceWriteBps: ['/dev/sda:2k'] },
      {
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: M }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 2048 }],
      },
    ],
    [
      { deviceReadIops: ['/dev/sda:10'], deviceWriteIops: ['/dev/sda:18446744073709551615'] },
      {
        throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 10 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 18446744073709551615n }],
      },
    ],
  ]);
});

test('what is refused', () => {
  const cases: readonly (readonly [RunFlags, string])[] = [
    [{ memory: '1k' }, '--memory 1k: minimum memory limit allowed is 6MB'],
    [
      { memorySwap: '1g' },
      '--memory-swap 1g: you should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    [
      { memory: '64m', memorySwap: '32m' },
      '--memory-swap 32m: minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      { memory: '8m', memoryReservation: '9m' },
      '--memory-reservation 9m: minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [
      { memorySwappiness: '101' },
      '--memory-swappiness 101: invalid value: 101, valid memory swappiness range is 0-100',
    ],
    [{ cpuShares: '-1' }, '--cpu-shares -1: invalid CPU shares (-1): value must be a positive integer'],
    [
      { cpuPeriod: '1' },
      '--cpu-period 1: CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ cpuQuota: '1' }, '--cpu-quota 1: CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [{ blkioWeight: '5' }, '--blkio-weight 5: range of blkio weight is from 10 to 1000'],
    [
      { blkioWeight: '70000' },
      'invalid argument "70000" for "--blkio-weight" flag: range of blkio weight is from 10 to 1000',
    ],
    [
      { deviceReadBps: ['/dev/sda'] },
      'invalid argument "/dev/sda" for "--device-read-bps" flag: bad format: /dev/sda',
    ],
    [
      { deviceReadBps: ['x:1m'] },
      'invalid argument "x:1m" for "--device-read-bps" flag: bad format for device path: x:1m',
    ],
    [
      { deviceReadIops: ['/dev/sda:1m'] },
      'invalid argument "/dev/sda:1m" for "--device-read-iops" flag: invalid rate for device: /dev/sda:1m. The correct format is <device-path>:<number>. Number must be a positive integer',
    ],
    [{ deviceReadBps: ['/dev/fuse:1m'] }, '--device-read-bps /dev/fuse:1m: /dev/fuse is not a block device'],
    [
      { cpusetCpus: 'x' },
      'invalid argument "x" for "--cpuset-cpus" flag: invalid value x for cpuset cpus: "x" is neither a number nor a range',
    ],
    [
      { cpusetMems: '1-0' },
      'invalid argument "1-0" for "--cpuset-mems" flag: invalid value 1-0 for cpuset mems: "1-0" ends before it begins',
    ],
  ];
  for (const [flags, message] of cases)
    assert.equal(
      messageOf(() => compile(flags)),
      message,
      JSON.stringify(flags),
    );
  assert.match(
    messageOf(() => compile({ cpusetMems: '0-429496729' })),
    /beyond 8191/,
  );
});

test('devices and their rules', () => {
  const { spec, sources } = compile({
    device: ['/dev/fuse:/dev/mine:r', '/dev/snd'],
    deviceCgroupRule: ['b 8:* rw'],
  });
  assert.deepEqual(
    spec.linux?.devices?.map(({ path, major, minor, fileMode }) => [path, major, minor, fileMode]),
    [
      ['/dev/mine', 10, 229, 0o666],
      ['/dev/snd/seq', 116, 1, 0o660],
      ['/dev/snd/timer', 116, 33, 0o660],
    ],
  );
  assert.deepEqual(spec.linux?.resources?.devices, [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'r' },
    { allow: true, type: 'c', major: 116, minor: 1, access: 'rwm' },
    { allow: true, type: 'c', major: 116, minor: 33, access: 'rwm' },
    { allow: true, type: 'b', major: 8, access: 'rw' },
  ]);
  assert.equal(sources.get('/linux/devices/0'), '--device /dev/fuse:/dev/mine:r');
  assert.equal(sources.get('/linux/resources/devices/4'), '--device-cgroup-rule b 8:* rw');
});

test('privileged: all devices but terminals and those that every container has', () => {
  const { spec } = compile({ privileged: true });
  assert.deepEqual(
    spec.linux?.devices?.map(({ path }) => path),
    ['/dev/fuse'],
  );
  assert.deepEqual(spec.linux?.resources?.devices, [{ allow: true, access: 'rwm' }]);
});

test('an ordinary user gets devices as binds', () => {
  const { spec, sources } = compile({ device: ['/dev/fuse:/dev/mine:r'] }, USER_HOST);
  assert.equal(spec.linux?.devices, undefined);
  const at = (spec.mounts?.length ?? 0) - 1;
  assert.deepEqual(spec.mounts?.[at], {
    destination: '/dev/mine',
    type: 'bind',
    source: '/dev/fuse',
    options: ['bind', 'nosuid', 'noexec', 'ro', 'rprivate'],
  });
  assert.equal(sources.get(`/mounts/${at}`), '--device /dev/fuse:/dev/mine:r');
});

test('devices that are refused', () => {
  const cases: readonly (readonly [RunFlags, string])[] = [
    [
      { device: ['/no'] },
      '--device /no: error gathering device information while adding custom device "/no": not a device node',
    ],
    [
      { device: ['/dev/fuse:/y:z'] },
      'invalid argument "/dev/fuse:/y:z" for "--device" flag: invalid device mode: z',
    ],
    [
      { device: ['/dev/fuse:/y:rr'] },
      'invalid argument "/dev/fuse:/y:rr" for "--device" flag: invalid device mode: rr',
    ],
    [
      { device: ['a:b:c:d'] },
      'invalid argument "a:b:c:d" for "--device" flag: invalid device specification: a:b:c:d',
    ],
    [
      { device: ['/dev/fuse:y'] },
      `invalid argument "/dev/fuse:y" for "--device" flag: invalid mount path: 'y' mount path must be absolute`,
    ],
    [
      { deviceCgroupRule: ['foo'] },
      `invalid argument "foo" for "--device-cgroup-rule" flag: invalid device cgroup format 'foo'`,
    ],
  ];
  for (const [flags, message] of cases)
    assert.equal(
      messageOf(() => compile(flags)),
      message,
      JSON.stringify(flags),
    );
});
