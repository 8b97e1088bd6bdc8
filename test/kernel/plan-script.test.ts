// The script of `caisson plan --sh`, run by hand, makes nearly the same container as caisson does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { capabilities, Harness, MOUNTS, type Part, rootless, skip, succeeded } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** What the container sees of itself. */
const LOOK = [
  'cat /proc/self/mountinfo',
  'echo =; cat /proc/self/limits',
  'echo =; grep -E "^(Cap|NoNewPrivs|Uid|Gid|Groups|Umask)" /proc/self/status',
  'echo =; cd /proc/self/ns; for ns in *; do echo "$ns $(readlink $ns)"; done; cd /',
  'echo =; hostname; pwd; cat /proc/sys/net/ipv4/ip_forward',
  'echo =; cat /proc/self/cgroup',
  'echo =; ls -l /dev',
  'echo =; cat /proc/self/oom_score_adj',
].join('; ');

interface Seen {
  /** Path, options of the mount, type and what is mounted, in the order of mountinfo. */
  readonly mounts: readonly string[];
  readonly limits: string;
  readonly status: string;
  /** Kinds of namespaces, and which are the host's. */
  readonly namespaces: readonly string[];
  readonly names: string;
  readonly cgroups: string;
  readonly devices: readonly string[];
  readonly score: string;
}

const HOST_NAMESPACES = new Map(
  spawnSync('sh', ['-c', 'cd /proc/self/ns; for ns in *; do echo "$ns $(readlink $ns)"; done'], {
    encoding: 'utf8',
  })
    .stdout.trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]),
);

function parse(output: string, id: string): Seen {
  const [
    mounts = '',
    limits = '',
    status = '',
    namespaces = '',
    names = '',
    cgroups = '',
    devices = '',
    score = '',
  ] = output.replaceAll(id, 'ID').split('\n=\n');
  return {
    mounts: mounts.split('\n').map(mountLine),
    limits,
    status,
    namespaces: namespaces.split('\n').map((line) => {
      const [name = '', link = ''] = line.split(' ');
      return `${name} ${HOST_NAMESPACES.get(name) === link ? 'of the host' : 'of its own'}`;
    }),
    names,
    cgroups,
    // Dates and sizes of directories differ.
    devices: devices
      .split('\n')
      .map((line) => line.replace(/ \w+ +\d+ +\d\d:\d\d /, ' ').replace(/^(d\S+ .*?) \d+ (\S+)$/, '$1 $2')),
    score,
  };
}

/** Ids of mounts and devices differ from run to run, and mount(8) makes the super block read-only, too. */
function mountLine(line: string): string {
  const [left = '', right = ''] = line.split(' - ');
  const [, , , root, path, options] = left.split(' ');
  return `${path} ${options} ${right.split(' ')[0]} ${root?.replace(/^.*\/(?=null$)/, '')}`;
}

function runScript(parts: Part): { seen: Seen; script: string } {
  const bundle = harness.bundle(parts, LOOK);
  const script = succeeded(harness.caisson(['plan', '--bundle', bundle, '--sh', '--show-secrets']));
  const file = `${harness.makeDirectory('script')}/script.sh`;
  writeFileSync(file, script);
  const { uid, gid } = harness.caller;
  const become =
    uid === 0 ? [] : ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  const [program = 'sh', ...args] = [...become, 'sh', file];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'latin1', timeout: 20_000 });
  return { seen: parse(succeeded({ code: status ?? 128, stdout, stderr }), 'caisson/plan'), script };
}

function runCaisson(parts: Part): Seen {
  const id = harness.newId();
  const bundle = harness.bundle(parts, LOOK);
  return parse(succeeded(harness.caisson(['oci', 'run', '--bundle', bundle, id])), `caisson/${id}`);
}

const HARMLESS: Part = {
  hostname: 'blue',
  root: { readonly: true },
  process: {
    capabilities: capabilities(['CAP_KILL', 'CAP_CHOWN']),
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ],
    env: ['PATH=/bin', 'QUOTE=\'"$(x)`\\', 'EMPTY='],
    oomScoreAdj: 500,
    user: { uid: 0, gid: 0, umask: 0o27 },
  },
  mounts: [
    ...MOUNTS,
    { destination: '/data dir', type: 'bind', source: '/usr', options: ['bind', 'ro', 'nosuid', 'nodev'] },
    { destination: '/etc/file', type: 'bind', source: '/etc/passwd', options: ['bind'] },
    { destination: "/it's", type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=64k'] },
  ],
  linux: { maskedPaths: ['/proc/keys', '/proc/acpi', '/nothing'], readonlyPaths: ['/proc/sys', '/nothing'] },
};

test('namespaces, mounts, limits and capabilities are the same by hand', { skip }, () => {
  const made = runCaisson(HARMLESS);
  const { seen } = runScript(HARMLESS);
  assert.deepEqual(seen, made);
  assert.ok(made.mounts.some((line) => line.startsWith('/data\\040dir ro,nosuid,nodev')));
  assert.ok(made.namespaces.includes('pid of its own'));
});

const USER: Part = {
  process: {
    user: { uid: 1000, gid: 100, additionalGids: [5, 20] },
    capabilities: capabilities(['CAP_KILL'], { inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] }),
    cwd: '/tmp',
  },
  linux: { resources: { pids: { limit: 50 } }, sysctl: { 'net.ipv4.ip_forward': '1' } },
};

test('user, groups, ambient capabilities, cgroups and sysctls, too', {
  skip: skip || (rootless && 'one id alone is mapped'),
}, () => {
  const made = runCaisson(USER);
  const { seen } = runScript(USER);
  assert.deepEqual(seen, made);
  assert.match(made.status, /Uid:\t1000/);
  assert.match(made.names, /\n1$/);
});

test('the script says what it leaves out', { skip }, () => {
  const { script } = runScript({
    process: { terminal: false },
    linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
    mounts: [...MOUNTS, { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] }],
  });
  const head = script.slice(0, script.indexOf('set -eu'));
  assert.match(head, /seccomp filter/);
  assert.match(head, /cgroups at \/sys\/fs\/cgroup/);
  assert.match(head, /session keyring/);
});
