// Namespaces, each new, joined or inherited one by one, as seen from inside.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, NAMESPACES, rootless, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const TYPES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;
type Type = (typeof TYPES)[number];

const SHOW = `cd /proc/self/ns; for n in ${TYPES.join(' ')}; do readlink $n; done`;
const host = (type: Type) => readlinkSync(`/proc/self/ns/${type}`);

/** The types whose namespace is not the host's. */
function differing(output: string): Type[] {
  const links = output.split('\n');
  assert.equal(links.length, TYPES.length, output);
  return TYPES.filter((type) => !links.includes(host(type)));
}

test('by default all are new but time, and user for root', { skip }, () => {
  const fresh: Type[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'];
  const expected = rootless ? [...fresh, 'user'].sort() : fresh;
  assert.deepEqual(differing(harness.output([], SHOW)), expected);
  assert.deepEqual(differing(harness.ociOutput({}, SHOW)), expected);
});

test('--namespaces makes only these new', { skip: rootOnly }, () => {
  const chosen: readonly (readonly Type[])[] = [
    ['mnt'],
    ['mnt', 'pid'],
    ['mnt', 'net'],
    ['mnt', 'ipc', 'uts'],
    ['cgroup', 'mnt'],
    ['mnt', 'time'],
    ['mnt', 'pid', 'time'],
  ];
  for (const types of chosen) {
    const output = harness.output(['--namespaces', types.join(',')], SHOW);
    assert.deepEqual(differing(output), [...types].sort(), types.join());
  }
});

test("only the mounts are virtual: processes, host name and network are the host's", {
  skip: rootOnly,
}, () => {
  const output = harness.output(
    ['--namespaces', 'mnt'],
    'hostname; ls -d /etc/passwd /bin/busybox; ls /home; ls /proc | grep -c "^[0-9]"',
  );
  const [name, ...rest] = output.split('\n');
  assert.equal(name, harness.output(['--namespaces', 'mnt'], 'cat /proc/sys/kernel/hostname'));
  assert.deepEqual(rest.slice(0, 3), ['/bin/busybox', '/etc/passwd', 'alice']);
  assert.ok(Number(rest[3]) > 10, `${rest[3]} processes`);
});

test('each namespace is inherited by its own flag', { skip: rootOnly }, () => {
  const flags: Readonly<Record<string, readonly string[]>> = {
    pid: ['--pid', 'host'],
    ipc: ['--ipc', 'host'],
    uts: ['--uts', 'host'],
    net: ['--network', 'host'],
    cgroup: ['--cgroupns', 'host'],
  };
  const all: Type[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'];
  for (const [type, docker] of Object.entries(flags)) {
    const expected = all.filter((each) => each !== type);
    assert.deepEqual(differing(harness.output(docker, SHOW)), expected, docker.join(' '));
    assert.deepEqual(
      differing(harness.output([`--${type}-ns`, 'host'], SHOW)),
      expected,
      `--${type}-ns host`,
    );
  }
});

test("without a mount namespace the host's files are seen, and mounts are refused", {
  skip: rootOnly,
}, () => {
  const script = 'test -e /proc/self/ns/mnt && readlink /proc/self/ns/mnt; echo done';
  const ended = harness.caisson(['run', '--mount-ns', 'host', 'host', 'sh', '-c', script]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stdout, `${host('mnt')}\ndone\n`);
  const refused = harness.caisson(['run', '--mount-ns', 'host', '-v', '/tmp:/x', 'host', 'true']);
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /--volume \/tmp:\/x/);
  assert.match(refused.stderr, /--mount-ns host/);
});

test('without a mount namespace a directory is entered by chroot', { skip: rootOnly }, () => {
  const config = { linux: { namespaces: NAMESPACES.filter(({ type }) => type !== 'mount') }, mounts: [] };
  assert.equal(harness.ociOutput(config, 'ls -d /bin /home/alice; pwd'), '/bin\n/home/alice\n/');
});

/** A process in namespaces of its own, until `end` is called. */
async function unshared(
  flags: readonly string[],
): Promise<{ path: (type: Type) => string; end: () => void }> {
  const child = spawn('unshare', [...flags, 'sh', '-c', 'echo $$; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return {
    path: (type) => `/proc/${child.pid}/ns/${type}`,
    end: () => child.kill('SIGKILL'),
  };
}

test('namespaces of another process are joined by path', { skip: rootOnly }, async () => {
  const other = await unshared(['--net', '--ipc', '--uts', '--cgroup', '--time']);
  try {
    for (const type of ['net', 'ipc', 'uts', 'cgroup', 'time'] as const) {
      const wanted = readlinkSync(other.path(type));
      assert.notEqual(wanted, host(type));
      const flag = harness.output([`--${type}-ns`, other.path(type)], `readlink /proc/self/ns/${type}`);
      assert.equal(flag, wanted, `--${type}-ns`);
      const name = { net: 'network', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup', time: 'time' }[type];
      const namespaces = [
        ...NAMESPACES.filter((each) => each.type !== name),
        { type: name, path: other.path(type) },
      ];
      const oci = harness.ociOutput({ linux: { namespaces } }, `readlink /proc/self/ns/${type}`);
      assert.equal(oci, wanted, name);
    }
  } finally {
    other.end();
  }
});

test('a joined pid namespace has the other processes in it', { skip: rootOnly }, async () => {
  const other = spawn(
    'unshare',
    ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', 'echo ready; exec sleep 61'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await new Promise((resolve) => other.stdout?.once('data', resolve));
  try {
    const path = `/proc/${other.pid}/ns/pid_for_children`;
    const wanted = readlinkSync(path);
    const output = harness.output(
      ['--pid-ns', path],
      'readlink /proc/self/ns/pid; ps -o pid,args | grep "[s]leep 61"',
    );
    assert.deepEqual(
      output.split('\n').map((line) => line.trim().replace(/ +/, ' ')),
      [wanted, '1 sleep 61'],
    );
  } finally {
    other.kill('SIGKILL');
  }
});

test("a joined user namespace makes its root the container's", { skip: rootOnly }, async () => {
  const other = await unshared(['--user', '--map-root-user']);
  try {
    const wanted = readlinkSync(other.path('user'));
    const output = harness.output(
      ['--user-ns', other.path('user')],
      'readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map',
    );
    assert.deepEqual(
      output.split('\n').map((line) => line.trim().replace(/ +/g, ' ')),
      [wanted, '0', '0 0 1'],
    );
  } finally {
    other.end();
  }
});

test('a joined mount namespace shows its mounts', { skip: rootOnly }, async () => {
  const other = spawn(
    'unshare',
    ['--mount', 'sh', '-c', 'mount -t tmpfs marked-by-test /mnt && echo ready; exec sleep 60'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await new Promise((resolve) => other.stdout?.once('data', resolve));
  try {
    const path = `/proc/${other.pid}/ns/mnt`;
    const ended = harness.caisson([
      'run',
      '--mount-ns',
      path,
      'host',
      'sh',
      '-c',
      'readlink /proc/self/ns/mnt; grep -c marked-by-test /proc/self/mountinfo',
    ]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(ended.stdout, `${readlinkSync(path)}\n1\n`);
  } finally {
    other.kill('SIGKILL');
  }
});

test('a time namespace has its own clocks', { skip }, () => {
  const namespaces = [...NAMESPACES, { type: 'time' }, ...(rootless ? [{ type: 'user' }] : [])];
  const linux = {
    namespaces,
    timeOffsets: { monotonic: { secs: 1000 }, boottime: { secs: 86400, nanosecs: 5 } },
  };
  const script = 'cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime';
  const words = harness.ociOutput({ linux }, script).split(/\s+/);
  assert.deepEqual(words.slice(0, 6), ['monotonic', '1000', '0', 'boottime', '86400', '5']);
  assert.ok(Number(words[6]) >= 86400, words[6]);
  const flag = harness.output(['--timens-offset', 'boottime=86400'], 'cut -d. -f1 /proc/uptime');
  assert.ok(Number(flag) >= 86400, flag);
});

test('a user namespace maps ids both ways', { skip: rootOnly }, () => {
  const map = ['--uidmap', '0:100000:1000', '--gidmap', '0:200000:1000'];
  const output = harness.output(
    [...map, '--read-only'],
    'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; stat -c %u /bin/busybox',
  );
  assert.deepEqual(
    output.split('\n').map((line) => line.trim().split(/\s+/).join(' ')),
    ['0 100000 1000', '0 200000 1000', 'allow', '0', '65534'],
  );
});

test("processes of a user namespace are the mapped user's on the host", { skip: rootOnly }, async () => {
  const map = ['--uidmap', '0:100000:1000', '--gidmap', '0:200000:1000'];
  const script = 'echo ready; exec sleep 62.5';
  const started = harness.start(harness.runArguments([...map, '-u', '7:8'], script));
  await started.untilPrinted('ready');
  let found: string | undefined;
  await started.until(() => {
    const { stdout } = spawnSync('ps', ['-eo', 'uid,gid,args'], { encoding: 'utf8' });
    found = stdout.split('\n').find((line) => /^\s*\d+ +\d+ sleep 62\.5$/.test(line));
    return found !== undefined;
  }, 'the process on the host');
  started.kill('SIGKILL');
  await started.end();
  assert.deepEqual(found?.trim().split(/\s+/).slice(0, 2), ['100007', '200008']);
  assert.equal(harness.caisson(['system', 'repair']).code, 0);
});
