// Each field of a full configuration in turn gets a value of another type: refused by its own pointer, nothing done.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CAPABILITIES, capabilities, Harness, logged, MOUNTS, once } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const ids = [{ containerID: 0, hostID: 0, size: 10 }];

/** A configuration in which nearly every field of the specification stands. */
const FULL = {
  hostname: 'full',
  domainname: 'full.test',
  annotations: { name: 'value' },
  mounts: [...MOUNTS.slice(0, 2), { destination: '/d', type: 'bind', source: '/usr', options: ['bind'] }],
  process: {
    terminal: false,
    consoleSize: { height: 24, width: 80 },
    user: { uid: 0, gid: 0, umask: 18, additionalGids: [5] },
    env: ['PATH=/bin'],
    capabilities: capabilities(CAPABILITIES.slice(0, 2), { inheritable: [], ambient: [] }),
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
    oomScoreAdj: 100,
    scheduler: { policy: 'SCHED_OTHER', nice: 1 },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
    execCPUAffinity: { initial: '0', final: '0' },
    apparmorProfile: '',
    selinuxLabel: '',
  },
  linux: {
    uidMappings: ids,
    gidMappings: ids,
    namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'uts' }, { type: 'user' }, { type: 'time' }],
    timeOffsets: { boottime: { secs: 1, nanosecs: 1 } },
    devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
    cgroupsPath: `/${harness.cgroup}/types`,
    sysctl: { 'kernel.domainname': 'x' },
    resources: {
      devices: [{ allow: false, access: 'rwm' }],
      memory: { limit: 67108864, swap: -1, reservation: 1048576, swappiness: 10, disableOOMKiller: false },
      cpu: { shares: 512, quota: 100000, period: 100000, cpus: '0', mems: '0', idle: 0 },
      pids: { limit: 50 },
      blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 1048576 }] },
      hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
      unified: { 'memory.high': '1' },
    },
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      flags: [],
      syscalls: [
        {
          names: ['mount'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
    rootfsPropagation: 'rprivate',
    maskedPaths: ['/proc/keys'],
    readonlyPaths: ['/proc/sys'],
    personality: { domain: 'LINUX' },
    memoryPolicy: { mode: 'MPOL_LOCAL' },
  },
};

type Path = readonly (string | number)[];

/** The paths of all values in a value, outermost first. */
function paths(value: unknown, before: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [before];
  const inner = Object.entries(value).map(([key, each]) =>
    paths(each, [...before, Array.isArray(value) ? Number(key) : key]),
  );
  return [before, ...inner.flat()];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((each, key) => (each as Record<string | number, unknown>)[key], value);
}

const pointer = (path: Path) =>
  path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

const configuration = harness.configuration(FULL, 'echo the container ran');
const bundle = harness.makeDirectory('bundle');

/** The first line of what is said about the configuration with another value at `path`. */
function refusal(path: Path, value: unknown): string {
  const changed = structuredClone(configuration);
  const parent = at(changed, path.slice(0, -1)) as Record<string | number, unknown>;
  parent[path.at(-1) ?? ''] = value;
  writeFileSync(`${bundle}/config.json`, JSON.stringify(changed));
  const { code, stdout, stderr } = harness.ociRun(bundle);
  assert.equal(stdout, '', `${pointer(path)} ${JSON.stringify(value)}: ${stderr}`);
  assert.equal(code, 1, `${pointer(path)} ${JSON.stringify(value)}: ${stderr}`);
  assert.doesNotMatch(stderr, /unexpected:|undefined/);
  return logged(stderr);
}

const all = paths(configuration).filter((path) => path.length > 0);

test('every field refuses a value of another type by its own name', { skip: once }, () => {
  assert.ok(all.length > 150, `${all.length} fields`);
  for (const path of all) {
    const wrong = typeof at(configuration, path) === 'string' ? 7 : 'text';
    assert.ok(
      refusal(path, wrong).includes(`${pointer(path)}: `),
      `${pointer(path)}: ${refusal(path, wrong)}`,
    );
  }
});

test('every number refuses what is no integer, or beyond 64 bits', { skip: once }, () => {
  const numbers = all.filter((path) => typeof at(configuration, path) === 'number');
  assert.ok(numbers.length > 30, `${numbers.length} numbers`);
  for (const path of numbers) {
    for (const wrong of [1.5, 2 ** 70]) {
      const said = refusal(path, wrong);
      assert.ok(said.includes(pointer(path)), `${pointer(path)} ${wrong}: ${said}`);
    }
  }
});

test('nothing is left of them', { skip: once }, () => {
  harness.assertNothingLeft();
});
