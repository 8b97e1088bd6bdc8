// Flags -> fields of the configuration, with their sources; every result passes the specification's own checks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OCI_VERSION } from '../../spec/validate.ts';
import { DEFAULT_CAPABILITIES } from './capabilities.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, part, ROOT_HOST, USER_HOST } from './test-facts.ts';

/** [pointer, flags, what stands there, the source of the pointer (none: not asserted)] */
type Row = readonly [string, RunFlags, unknown, string?];

function check(rows: readonly Row[], facts = ROOT_HOST): void {
  for (const [pointer, flags, expected, source] of rows) {
    const title = `${pointer} of ${JSON.stringify(flags)}`;
    assert.deepEqual(part(pointer, flags, facts), expected, title);
    if (source !== undefined) assert.equal(compile(flags, facts).sources.get(pointer), source, title);
  }
}

test('the default container', () => {
  const { spec, sources, warnings, settings } = compile({});
  assert.equal(spec.ociVersion, OCI_VERSION);
  assert.deepEqual(
    spec.linux?.namespaces?.map(({ type }) => type),
    ['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'],
  );
  assert.deepEqual(
    spec.mounts?.map(({ destination }) => destination),
    [
      ...['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
      ...['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'],
    ],
  );
  assert.equal(spec.process?.noNewPrivileges, true);
  assert.deepEqual(
    [...(spec.process?.capabilities?.bounding ?? [])].sort(),
    [...DEFAULT_CAPABILITIES].sort(),
  );
  assert.equal(spec.process?.capabilities?.inheritable, undefined);
  assert.equal(spec.process?.capabilities?.ambient, undefined);
  assert.equal(spec.linux?.seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.ok(spec.linux?.maskedPaths?.includes('/proc/kcore'));
  assert.ok(spec.linux?.maskedPaths?.includes('/sys/devices/system/cpu/cpu1/thermal_throttle'));
  assert.deepEqual(spec.linux?.resources, {
    devices: [{ allow: false, access: 'rwm' }],
    pids: { limit: 2048 },
  });
  assert.equal(spec.hostname, '0123456789ab');
  assert.deepEqual(spec.root, { path: '/state/root' });
  assert.deepEqual(warnings, []);
  assert.deepEqual([...sources], [['/process/args', 'command sh']]);
  assert.equal(settings.stopSignal, 15);
  assert.deepEqual(settings.detachKeys, [16, 17]);
});

test('process', () => {
  check([
    ['/process/terminal', { tty: true }, true],
    ['/process/cwd', {}, '/'],
    ['/process/cwd', { workdir: '/a/../b/' }, '/b', '--workdir /a/../b/'],
    ['/process/args', {}, ['sh']],
    ['/process/args', { entrypoint: '/bin/x' }, ['/bin/x', 'sh'], '--entrypoint /bin/x'],
    ['/process/args', { entrypoint: '' }, ['sh']],
    ['/process/oomScoreAdj', { oomScoreAdj: '-500' }, -500, '--oom-score-adj -500'],
    ['/process/user/umask', { umask: '027' }, 23],
    ['/process/scheduler', { scheduler: 'fifo:50' }, { policy: 'SCHED_FIFO', priority: 50 }],
    ['/process/scheduler', { scheduler: 'batch:5' }, { policy: 'SCHED_BATCH', nice: 5 }],
    ['/process/ioPriority', { ioprio: 'best-effort:7' }, { class: 'IOPRIO_CLASS_BE', priority: 7 }],
    ['/process/execCPUAffinity', { cpuAffinity: '0-1' }, { initial: '0-1', final: '0-1' }],
    [
      '/linux/memoryPolicy',
      { memoryPolicy: 'bind+static:0' },
      { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
    ],
    ['/linux/personality', { personality: 'linux32' }, { domain: 'LINUX32' }],
    ['/annotations', { annotation: ['a=b', 'c'] }, { a: 'b', c: '' }],
    ['/domainname', { domainname: 'example.org' }, 'example.org', '--domainname example.org'],
    ['/hostname', { hostname: 'pier' }, 'pier', '--hostname pier'],
  ]);
});

test('limits of the process', () => {
  const infinity = 2n ** 64n - 1n;
  check([
    ['/process/rlimits', {}, undefined],
    [
      '/process/rlimits',
      { ulimit: ['nofile=1024:2048', 'core=-1', 'nproc=5'] },
      [
        { type: 'RLIMIT_NOFILE', hard: 2048, soft: 1024 },
        { type: 'RLIMIT_CORE', hard: infinity, soft: infinity },
        { type: 'RLIMIT_NPROC', hard: 5, soft: 5 },
      ],
    ],
    [
      '/process/rlimits/0',
      { ulimit: ['nofile=1', 'nofile=2'] },
      { type: 'RLIMIT_NOFILE', hard: 2, soft: 2 },
      '--ulimit nofile=2',
    ],
    [
      '/process/rlimits/0',
      { ulimit: ['as=18446744073709551614'] },
      { type: 'RLIMIT_AS', hard: infinity - 1n, soft: infinity - 1n },
    ],
    ['/process/rlimits/0', { ulimit: ['as=1:unlimited'] }, { type: 'RLIMIT_AS', hard: infinity, soft: 1 }],
  ]);
});

test('users and groups', () => {
  check([
    ['/process/user', {}, { uid: 0, gid: 0, additionalGids: [0, 10] }],
    [
      '/process/user',
      { user: 'ana' },
      { uid: 1000, gid: 1001, additionalGids: [10, 44, 1001] },
      '--user ana',
    ],
    ['/process/user', { user: '1000' }, { uid: 1000, gid: 1001, additionalGids: [10, 44, 1001] }],
    [
      '/process/user',
      { user: '7:8', groupAdd: ['video', '99'] },
      { uid: 7, gid: 8, additionalGids: [8, 44, 99] },
    ],
  ]);
  assert.deepEqual(part('/process/env/2', { user: 'ana' }), 'HOME=/home/ana');
  assert.deepEqual(part('/process/user/uid', {}, ROOT_HOST, { User: 'ana:root' }), 1000);
});

test('environment: defaults, image, files, flags, in docker order', () => {
  const facts = {
    ...ROOT_HOST,
    files: new Map([['vars', '\xef\xbb\xbf# note\nA=1\n\n  B=2 \nLANG\nMISSING\r\n']]),
  };
  const image = { Env: ['PATH=/image', 'C=image', 'broken'] };
  const flags: RunFlags = {
    tty: true,
    envFile: ['vars'],
    env: ['A=3', 'D', 'EMPTY', 'C', 'Z=x=y'],
    hostname: 'pier',
  };
  const compiled = compile(flags, facts, image);
  assert.deepEqual(compiled.spec.process?.env, [
    ...[
      'PATH=/image',
      'HOSTNAME=pier',
      'TERM=xterm',
      'A=3',
      'B=2 ',
      'LANG=C.UTF-8',
      'EMPTY=',
      'Z=x=y',
      'HOME=/root',
    ],
  ]);
  // Values may be secrets: the sources name variables only.
  assert.equal(compiled.sources.get('/process/env/3'), '--env A');
  assert.equal(compiled.sources.get('/process/env/4'), '--env-file vars:4');
  assert.ok(![...compiled.sources.values()].some((source) => source.includes('x=y')));
});

test('capabilities', () => {
  const bounding = (flags: RunFlags): readonly string[] =>
    part('/process/capabilities/bounding', flags) as string[];
  assert.ok(bounding({ capAdd: ['net_raw'] }).includes('CAP_NET_RAW'));
  assert.ok(!bounding({ capDrop: ['CHOWN'] }).includes('CAP_CHOWN'));
  assert.deepEqual(bounding({ capDrop: ['ALL'], capAdd: ['CHOWN'] }), ['CAP_CHOWN']);
  assert.deepEqual(bounding({ capDrop: ['all'] }), []);
  assert.equal(bounding({ capAdd: ['ALL'] }).length, 41);
  assert.equal(bounding({ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }).length, 40);
  assert.equal(bounding({ privileged: true }).length, 41);
  const old = compile({ capAdd: ['ALL'] }, { ...ROOT_HOST, lastCapability: 37 });
  assert.equal(old.spec.process?.capabilities?.bounding?.length, 38);
  check([
    ['/process/capabilities/effective', { user: '1' }, undefined],
    ['/process/capabilities/ambient', { user: '1', capAdd: ['NET_ADMIN'] }, ['CAP_NET_ADMIN']],
    ['/process/capabilities/ambient', { capAdd: ['NET_ADMIN'] }, undefined],
  ]);
});

test('security options', () => {
  check([
    ['/process/noNewPrivileges', { securityOpt: ['no-new-privileges'] }, true],
    [
      '/process/noNewPrivileges',
      { securityOpt: ['no-new-privileges:false'] },
      false,
      '--security-opt no-new-privileges:false',
    ],
    ['/process/noNewPrivileges', { privileged: true }, false, '--privileged'],
    ['/linux/seccomp', { securityOpt: ['seccomp=unconfined'] }, undefined],
    ['/linux/seccomp', { privileged: true }, undefined],
    ['/linux/maskedPaths', { securityOpt: ['systempaths=unconfined'] }, []],
    ['/linux/readonlyPaths', { securityOpt: ['unmask=ALL'] }, []],
    ['/linux/readonlyPaths', { privileged: true }, []],
    ['/process/apparmorProfile', { securityOpt: ['apparmor=unconfined'] }, undefined],
    ['/linux/sysctl', { sysctl: ['net.ipv4.ip_forward=1'] }, { 'net.ipv4.ip_forward': '1' }],
  ]);
  assert.ok(
    !(part('/linux/maskedPaths', { securityOpt: ['unmask=/proc/acpi:/sys/firmware'] }) as string[]).includes(
      '/proc/acpi',
    ),
  );
  assert.ok(
    (part('/linux/maskedPaths', { securityOpt: ['mask=/proc/uptime'] }) as string[]).includes('/proc/uptime'),
  );
  const confined = { ...ROOT_HOST, apparmor: true };
  check(
    [['/process/apparmorProfile', { securityOpt: ['apparmor=x'] }, 'x', '--security-opt apparmor=x']],
    confined,
  );
});

test('SELinux labels', () => {
  const selinux = {
    processLabel: 'system_u:system_r:container_t:s0:c1,c2',
    mountLabel: 'system_u:object_r:container_file_t:s0:c1,c2',
  };
  const facts = { ...ROOT_HOST, selinux };
  check(
    [
      ['/process/selinuxLabel', {}, selinux.processLabel],
      ['/linux/mountLabel', {}, selinux.mountLabel],
      ['/process/selinuxLabel', { securityOpt: ['label=disable'] }, undefined],
      ['/process/selinuxLabel', { privileged: true }, undefined],
      ['/process/selinuxLabel', { securityOpt: ['label=type:spc_t'] }, 'system_u:system_r:spc_t:s0:c1,c2'],
      [
        '/process/selinuxLabel',
        { securityOpt: ['label=level:s0:c9'] },
        'system_u:system_r:container_t:s0:c9',
      ],
      [
        '/linux/mountLabel',
        { securityOpt: ['label=level:s0:c9'] },
        'system_u:object_r:container_file_t:s0:c9',
      ],
    ],
    facts,
  );
});

test('a seccomp file in docker form and in the specification form', () => {
  const docker = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      { names: ['read'], action: 'SCMP_ACT_ALLOW' },
      { name: 'write', action: 'SCMP_ACT_ALLOW', comment: 'old form' },
      { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
      { names: ['late'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '99.1' } },
      { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390x'] },
      },
      { names: ['arm_call'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm64'] } },
    ],
  });
  const facts = {
    ...ROOT_HOST,
    files: new Map([
      ['d.json', docker],
      ['bad.json', '{"defaultAction":"NO"}'],
      ['empty.json', '{}'],
    ]),
  };
  const names = (flags: RunFlags): string[] =>
    (part('/linux/seccomp/syscalls', flags, facts) as { names: string[] }[]).flatMap((rule) => rule.names);
  assert.deepEqual(names({ securityOpt: ['seccomp=d.json'] }), ['read', 'write', 'ptrace', 'clone']);
  assert.deepEqual(names({ securityOpt: ['seccomp=d.json'], capAdd: ['SYS_ADMIN'] }), [
    'read',
    'write',
    'ptrace',
    'mount',
  ]);
  assert.deepEqual(part('/linux/seccomp/architectures', { securityOpt: ['seccomp:d.json'] }, facts), [
    'SCMP_ARCH_X86_64',
    'SCMP_ARCH_X86',
  ]);
  assert.match(
    messageOf(() => compile({ securityOpt: ['seccomp=bad.json'] }, facts)),
    /^seccomp profile bad.json: \/seccomp\/defaultAction: /,
  );
  assert.match(
    messageOf(() => compile({ securityOpt: ['seccomp=empty.json'] }, facts)),
    /seccomp=unconfined/,
  );
});

test('settings of the run', () => {
  const facts = { ...ROOT_HOST, files: new Map([['l', 'one=1\n# x\ntwo\n']]) };
  const { settings } = compile(
    {
      name: 'web',
      rm: true,
      label: ['a=b', 'one=2'],
      labelFile: ['l'],
      stopSignal: 'INT',
      timeout: '90',
      cidfile: 'id',
      detachKeys: 'ctrl-a,x,ctrl-@',
    },
    facts,
  );
  assert.deepEqual(settings.labels, { one: '2', two: '', a: 'b' });
  assert.deepEqual(
    [
      settings.name,
      settings.remove,
      settings.stopSignal,
      settings.timeout,
      settings.cidfile,
      settings.detachKeys,
    ],
    ['web', true, 2, 90_000, '/work/id', [1, 120, 0]],
  );
  assert.equal(compile({}, ROOT_HOST, { StopSignal: 'SIGQUIT' }).settings.stopSignal, 3);
  assert.equal(compile({}, ROOT_HOST, { StopSignal: 'nonsense' }).settings.stopSignal, 15);
  assert.deepEqual(compile({ detachKeys: '' }).settings.detachKeys, []);
});

test('image: entrypoint, command, working directory', () => {
  const image = { Entrypoint: ['/entry', '-x'], Cmd: ['default'], WorkingDir: 'srv/../app' };
  const args = (flags: RunFlags, command: readonly string[]): unknown =>
    compile(flags, ROOT_HOST, image, command).spec.process?.args;
  assert.deepEqual(args({}, []), ['/entry', '-x', 'default']);
  assert.deepEqual(args({}, ['mine']), ['/entry', '-x', 'mine']);
  assert.deepEqual(args({ entrypoint: 'e' }, []), ['e']);
  assert.deepEqual(args({ entrypoint: '' }, ['mine']), ['mine']);
  assert.equal(part('/process/cwd', {}, ROOT_HOST, image), '/app');
});

test('an ordinary user: user namespace, maps, nothing that needs privilege', () => {
  const { spec } = compile({}, USER_HOST);
  assert.equal(spec.linux?.namespaces?.[0]?.type, 'user');
  assert.deepEqual(spec.linux?.uidMappings, USER_HOST.idMaps?.uidMappings);
  assert.deepEqual(spec.linux?.resources, {});
  assert.equal(spec.linux?.cgroupsPath, undefined);
  const single = {
    ...USER_HOST,
    idMaps: {
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      setgroups: false,
    },
  };
  const alone = compile({}, single).spec;
  assert.equal(alone.process?.user.additionalGids, undefined);
  assert.ok(!alone.mounts?.some(({ options }) => options?.includes('gid=5')));
});
