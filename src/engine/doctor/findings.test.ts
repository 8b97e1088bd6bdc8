// Tests of the doctor's rules on hosts that this machine is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report } from '../doctor.ts';
import type { DoctorFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import { findings } from './findings.ts';
import type { Failure } from './trials.ts';

const HEALTHY: DoctorFacts = {
  arch: 'x86_64',
  release: '6.18.1',
  uid: 1000,
  privileged: false,
  initialUserNamespace: true,
  capabilities: [],
  noNewPrivs: false,
  filtered: false,
  seccompActions: 'kill_process errno allow',
  sysctls: new Map([['user/max_user_namespaces', '65536']]),
  procMasks: [],
  lsms: ['capability', 'apparmor'],
  handlers: ['qemu-aarch64'],
  cgroups: {
    mode: 'v2',
    controllers: new Set(['memory', 'cpu', 'pids', 'io', 'cpuset']),
    readOnly: false,
    delegated: '/user.slice/me',
    swap: true,
  },
  subordinate: { user: 'me', uids: 65536, gids: 65536, helpers: true },
  stateRoot: { path: '/run/user/1000/caisson', problem: undefined },
  trials: {
    launcher: undefined,
    namespaces: new Map(),
    userNamespace: undefined,
    overlay: undefined,
    userOverlay: undefined,
    userProcfs: undefined,
  },
};

const ROOT: Partial<DoctorFacts> = { uid: 0, privileged: true };

function refused(errno: number, step = 'own-user-namespace'): Failure {
  return { message: `refused: errno ${errno}`, step, errno };
}

function examine(change: Partial<DoctorFacts>): ReadonlyMap<string, Finding> {
  return new Map(findings({ ...HEALTHY, ...change }).map((one) => [one.id, one]));
}

function trials(change: Partial<DoctorFacts['trials']>): Partial<DoctorFacts> {
  return { trials: { ...HEALTHY.trials, ...change } };
}

test('a healthy host has no other word than ok', () => {
  for (const { condition, id } of examine({}).values()) assert.equal(condition, 'ok', id);
  assert.match(report(findings(HEALTHY), 80), /\nContainers run here\.$/);
});

test('an old kernel is refused; one above the floor is told what newer ones add', () => {
  assert.equal(examine({ release: '5.14.21' }).get('kernel')?.condition, 'missing');
  const old = examine({ release: '5.15.0-generic' }).get('kernel');
  assert.equal(old?.condition, 'ok');
  assert.match(old?.advice[0] ?? '', /6\.3.*6\.5.*6\.15/);
  assert.doesNotMatch(examine({ release: '6.5.0' }).get('kernel')?.advice[0] ?? '', /\(6\.5\)/);
});

test('who blocks user namespaces', () => {
  const blocked = trials({ userNamespace: refused(1) });
  const advice = (change: Partial<DoctorFacts>) => {
    const found = examine({ ...blocked, ...change }).get('user-namespaces');
    assert.equal(found?.condition, 'missing');
    return found?.advice.join('\n') ?? '';
  };
  assert.match(
    advice({ sysctls: new Map([['user/max_user_namespaces', '0']]) }),
    /sysctl -w user\.max_user_namespaces/,
  );
  assert.match(
    advice({ sysctls: new Map([['kernel/unprivileged_userns_clone', '0']]) }),
    /unprivileged_userns_clone=1/,
  );
  assert.match(
    advice({ sysctls: new Map([['kernel/apparmor_restrict_unprivileged_userns', '1']]) }),
    /profile with "userns,"/,
  );
  assert.match(advice({ filtered: true }), /seccomp=unconfined/);
  assert.match(advice({}), /security module/);
  assert.match(advice(trials({ userNamespace: refused(28) })), /limit/);
  assert.match(advice(trials({ userNamespace: refused(22) })), /CONFIG_USER_NS/);
});

test('root is only limited without user namespaces, and told what holds for others', () => {
  assert.equal(
    examine({ ...ROOT, ...trials({ userNamespace: refused(1) }) }).get('user-namespaces')?.condition,
    'limited',
  );
  const sysctls = new Map([['kernel/unprivileged_userns_clone', '0']]);
  const found = examine({ ...ROOT, sysctls }).get('user-namespaces');
  assert.equal(found?.condition, 'limited');
  assert.match(found?.found ?? '', /not for ordinary users/);
});

test('a masked procfs', () => {
  const change = {
    ...trials({ userProcfs: refused(1, 'procfs') }),
    procMasks: ['/proc/kcore', '/proc/keys'],
  };
  const found = examine(change).get('user-procfs');
  assert.equal(found?.condition, 'missing');
  assert.match(found?.advice[0] ?? '', /\/proc\/kcore, \/proc\/keys .*systempaths=unconfined/);
  assert.equal(examine({ ...change, ...ROOT }).get('user-procfs')?.condition, 'limited');
});

test('subordinate ids and their helpers', () => {
  const subordinate = HEALTHY.subordinate;
  const advice = (change: Partial<DoctorFacts>) => {
    const found = examine(change).get('subordinate-ids');
    assert.equal(found?.condition, 'limited');
    return found?.advice.join('\n') ?? '';
  };
  assert.match(advice({ subordinate: { ...subordinate, uids: 0 } }), /usermod --add-subuids .* me$/);
  assert.match(advice({ subordinate: { ...subordinate, helpers: false } }), /uidmap/);
  assert.match(advice({ noNewPrivs: true }), /no_new_privs/);
});

test('cgroups: none, read-only, without controllers, without delegation', () => {
  const cgroups = HEALTHY.cgroups;
  const found = (change: Partial<DoctorFacts['cgroups']>, more: Partial<DoctorFacts> = {}) =>
    examine({ cgroups: { ...cgroups, ...change }, ...more });
  assert.equal(found({ mode: undefined }).get('cgroups')?.condition, 'limited');
  assert.match(found({ readOnly: true }).get('cgroups')?.found ?? '', /read-only/);
  const poor = found({ controllers: new Set(['cpu', 'pids', 'io', 'cpuset']) }).get('cgroup-controllers');
  assert.match(poor?.advice.join('\n') ?? '', /memory cannot be limited[\s\S]*cgroup_enable=memory/);
  assert.match(found({ delegated: undefined }).get('cgroup-delegation')?.advice[0] ?? '', /Delegate=yes/);
  assert.match(
    found({ delegated: undefined, mode: 'v1' }).get('cgroup-delegation')?.advice[0] ?? '',
    /only cgroup v2/,
  );
  assert.equal(found({ delegated: undefined }, ROOT).get('cgroup-delegation'), undefined);
  assert.equal(found({ mode: 'v1', swap: false }).get('cgroup-controllers')?.condition, 'note');
});

test('what root lacks', () => {
  const found = examine({ ...ROOT, capabilities: ['CAP_SYS_ADMIN', 'CAP_MKNOD'] }).get('privilege');
  assert.equal(found?.condition, 'limited');
  assert.match(found?.advice.join('\n') ?? '', /CAP_SYS_RESOURCE/);
  assert.doesNotMatch(found?.advice.join('\n') ?? '', /CAP_MKNOD/);
});

test('namespaces, overlay, seccomp, launcher and state', () => {
  const without = (kind: 'time' | 'pid') => trials({ namespaces: new Map([[kind, refused(22, 'unshare')]]) });
  assert.equal(examine(without('time')).get('namespaces')?.condition, 'limited');
  assert.equal(examine(without('pid')).get('namespaces')?.condition, 'missing');
  assert.match(
    examine({ ...ROOT, ...trials({ overlay: refused(19, 'overlay') }) }).get('overlay')?.advice[0] ?? '',
    /modprobe overlay/,
  );
  assert.equal(examine({ seccompActions: undefined }).get('seccomp')?.condition, 'missing');
  assert.equal(examine({ filtered: true }).get('seccomp')?.condition, 'note');
  const sysctls = new Map([['vm/memfd_noexec', '2']]);
  assert.match(
    examine({ ...trials({ launcher: refused(13) }), sysctls }).get('launcher')?.advice[0] ?? '',
    /memfd_noexec=1/,
  );
  assert.equal(
    examine({ stateRoot: { path: '/run/caisson', problem: 'no' } }).get('state')?.condition,
    'missing',
  );
});

test('the report is wrapped, and names what is missing', () => {
  const text = report(findings({ ...HEALTHY, seccompActions: undefined, filtered: true }), 60);
  for (const line of text.split('\n')) assert.ok(line.length <= 60, line);
  assert.match(text, /Containers cannot run here: seccomp\.$/);
});
