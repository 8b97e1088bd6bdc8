// Generated configurations and made-up hosts, for the property tests of plans.
import fc from 'fast-check';
import type { Bytes } from '../linux/bytes.ts';
import { CAPABILITIES } from '../linux/capabilities.ts';
import { exampleSpec } from '../spec/defaults.ts';
import { CaissonError } from '../spec/error.ts';
import type {
  Linux,
  LinuxNamespace,
  LinuxNamespaceType,
  Mount,
  Process,
  Spec,
} from '../spec/runtime-spec.ts';
import { slot } from './call.ts';
import type { CompileOptions, RootPlan } from './compile/context.ts';
import { compile, type StartPlan } from './compile.ts';
import type { HostFacts } from './facts.ts';
import { step } from './step.ts';
import * as sys from './syscalls.ts';

/** A root as src/snapshot makes them, in two calls. */
export function testRoot(): RootPlan {
  const root = slot('root');
  const directory = slot('root_directory');
  return {
    root,
    steps: [
      step('child', 'root', 'bind the root onto itself', '/root/path', [
        sys.openat(sys.AT_FDCWD, '/srv/rootfs', 0o12000000, 0, { result: directory }),
        sys.openTree(directory, '', 0o2000000 | 1 | 0x9000, { result: root }),
        sys.moveMount(root, directory, 0x44),
      ]),
    ],
  };
}

const FILES = [
  ['/srv/data', 'directory'],
  ['/etc/hosts', 'file'],
  ['/proc/kcore', 'file'],
  ['/proc/acpi', 'directory'],
  ['/proc/sys', 'directory'],
] as const;

const facts: fc.Arbitrary<HostFacts> = fc
  .record({
    arch: fc.constantFrom('x86_64' as const, 'aarch64' as const),
    kernel: fc.constantFrom([5, 15] as const, [6, 1] as const, [6, 18] as const),
    privileged: fc.boolean(),
    lastCapability: fc.integer({ min: 36, max: 41 }),
    permitted: fc.constantFrom([0xffffffff, 0x1ff] as const, [0xa80425fb, 0] as const),
  })
  .map((chosen) => ({
    ...chosen,
    uid: chosen.privileged ? 0 : 1000,
    gid: chosen.privileged ? 0 : 1000,
    initialUserNamespace: true,
    apparmor: true,
    selinux: true,
    ignoredSignals: [],
    files: new Map(FILES.map(([path, type]) => [path, { type, rdev: 0 }])),
  }));

/** Bytes of names: mostly plain, some that need escapes, never NUL or a slash. */
const name: fc.Arbitrary<Bytes> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...'abcz') },
      fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join('').replaceAll('/', '_'))
  .filter((text) => text !== '.' && text !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const text = fc
  .array(fc.integer({ min: 1, max: 255 }), { maxLength: 8 })
  .map((codes) => String.fromCharCode(...codes));
const id = fc.oneof(fc.constantFrom(0, 1, 1000, 65534, 4294967294), fc.nat(4294967294));
const int64 = fc.oneof(
  fc.constantFrom(0, 1, 1024, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const capabilities = fc.subarray(Object.keys(CAPABILITIES), { maxLength: 6 });

const mount: fc.Arbitrary<Mount> = fc.oneof(
  fc.record({
    destination: path,
    type: fc.constantFrom('tmpfs', 'proc', 'sysfs', 'mqueue', 'devpts', 'cgroup', 'overlay'),
    source: fc.constantFrom('', 'none'),
    options: fc.subarray(['ro', 'nosuid', 'noexec', 'noatime', 'rprivate', 'size=64k', 'sync', 'gid=5']),
  }),
  fc.record({
    destination: path,
    source: fc.constantFrom('/srv/data', '/etc/hosts', '/gone'),
    options: fc
      .subarray(['rw', 'ro', 'rro', 'nosuid', 'rnodev', 'relatime', 'rslave', 'shared'])
      .chain((more) => fc.constantFrom(['bind', ...more], ['rbind', ...more])),
  }),
);

const process: fc.Arbitrary<Process> = fc.record(
  {
    user: fc.record({
      uid: id,
      gid: id,
      umask: fc.constantFrom(0, 0o22, 0o777),
      additionalGids: fc.array(id, { maxLength: 3 }),
    }),
    cwd: fc.oneof(fc.constantFrom('/', '/dev', '/a/../b'), path),
    args: fc.array(fc.oneof(path, name), { minLength: 1, maxLength: 3 }),
    env: fc.array(
      fc.oneof(
        name.map((key) => `${key}=x`),
        text,
        fc.constant('PATH=/bin::/sbin'),
      ),
      { maxLength: 4 },
    ),
    terminal: fc.boolean(),
    noNewPrivileges: fc.boolean(),
    oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
    apparmorProfile: fc.constantFrom('', 'profile'),
    selinuxLabel: fc.constantFrom('', 'label'),
    rlimits: fc.array(
      fc.record({
        type: fc.constantFrom('RLIMIT_NOFILE' as const, 'RLIMIT_CORE' as const),
        soft: int64,
        hard: int64,
      }),
      { maxLength: 2 },
    ),
    scheduler: fc.record({
      policy: fc.constantFrom('SCHED_OTHER' as const, 'SCHED_DEADLINE' as const),
      runtime: int64,
    }),
    ioPriority: fc.record({ class: fc.constant('IOPRIO_CLASS_BE' as const), priority: fc.nat(7) }),
    capabilities: fc.record({
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: capabilities,
      ambient: capabilities,
    }),
  },
  { requiredKeys: ['user', 'cwd', 'args'] },
);

const namespaces: fc.Arbitrary<LinuxNamespace[]> = fc
  .subarray<LinuxNamespaceType>(['pid', 'network', 'ipc', 'uts', 'user', 'cgroup', 'time'])
  .chain((types) =>
    fc.tuple(
      ...types.map((type) =>
        fc.boolean().map((joins): LinuxNamespace => (joins ? { type, path: `/run/ns/${type}` } : { type })),
      ),
    ),
  )
  .map((chosen) => [...chosen, { type: 'mount' as const }]);

const linux: fc.Arbitrary<Linux> = fc.record(
  {
    namespaces,
    uidMappings: fc.constant([{ containerID: 0, hostID: 100000, size: 65536 }]),
    gidMappings: fc.constant([{ containerID: 0, hostID: 100000, size: 65536 }]),
    maskedPaths: fc.subarray(['/proc/kcore', '/proc/acpi', '/proc/none', '/usr/x']),
    readonlyPaths: fc.subarray(['/proc/sys', '/etc']),
    sysctl: fc.constantFrom<Record<Bytes, Bytes>>({}, { 'net.ipv4.ip_forward': '1' }),
    timeOffsets: fc.constant({ monotonic: { secs: 1, nanosecs: 0 } }),
    rootfsPropagation: fc.constantFrom('rslave' as const, 'rshared' as const, 'private' as const),
    seccomp: fc.constant({ defaultAction: 'SCMP_ACT_ALLOW' as const }),
    devices: fc.array(
      path.map((where) => ({ path: where, type: 'c' as const, major: 1, minor: 3 })),
      { maxLength: 2 },
    ),
    personality: fc.constant({ domain: 'LINUX32' as const }),
    memoryPolicy: fc.constantFrom(
      { mode: 'MPOL_BIND' as const, nodes: '0,70' },
      { mode: 'MPOL_DEFAULT' as const, nodes: '' },
    ),
  },
  { requiredKeys: ['namespaces', 'uidMappings', 'gidMappings'] },
);

const spec: fc.Arbitrary<Spec> = fc
  .record({
    process,
    linux,
    mounts: fc.array(mount, { maxLength: 3 }),
    readonly: fc.boolean(),
    hostname: fc.constantFrom('', 'blue'),
  })
  .map(({ readonly, mounts, ...rest }) => ({
    ociVersion: '1.3.0',
    root: { path: '/srv/rootfs', readonly },
    mounts: [...(exampleSpec().mounts ?? []), ...mounts],
    ...rest,
    // Refused before compiling: a name without a namespace for it.
    ...(rest.linux.namespaces?.some(({ type }) => type === 'uts') ? {} : { hostname: '' }),
  }));

const options: fc.Arbitrary<Partial<CompileOptions>> = fc.record(
  {
    mapHelpers: fc.boolean(),
    dieWithParent: fc.boolean(),
    noPivot: fc.boolean(),
    noNewKeyring: fc.boolean(),
    trace: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** A compiled plan with its inputs; configurations that the compiler refuses are left out. */
export interface Compiled {
  readonly plan: StartPlan;
  readonly spec: Spec;
  readonly facts: HostFacts;
}

export const compiledPlans: fc.Arbitrary<Compiled> = fc
  .record({ spec, facts, options })
  .map(({ spec, facts, options }) => {
    try {
      return { plan: compile(spec, facts, { id: 'x', root: testRoot(), ...options }), spec, facts };
    } catch (error) {
      if (error instanceof CaissonError) return undefined;
      throw error;
    }
  })
  .filter((compiled): compiled is Compiled => compiled !== undefined);
