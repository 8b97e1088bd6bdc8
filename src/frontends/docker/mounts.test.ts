// `--volume`, `--mount`, `--tmpfs` and the generated files: mounts, their options, their order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mount } from '../../spec/runtime-spec.ts';
import { splitCsv } from './mount-flag.ts';
import { isAddress } from './network-files.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, ROOT_HOST, USER_HOST } from './test-facts.ts';

function mountAt(destination: string, flags: RunFlags, facts = ROOT_HOST): Mount | undefined {
  return compile(flags, facts).spec.mounts?.find((mount) => mount.destination === destination);
}

function options(flags: RunFlags): string {
  return (mountAt('/y', flags)?.options ?? []).join(',');
}

test('volumes', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/x:/y', 'rbind,nosuid,nodev,rprivate'],
    ['/x:/y:ro', 'rbind,rro,nosuid,nodev,rprivate'],
    ['/x:/y:rw,z', 'rbind,nosuid,nodev,rprivate'],
    ['/x:/y:ro,Z,noexec', 'rbind,rro,nosuid,nodev,rprivate,noexec'],
    ['/x:/y:suid,dev,exec', 'rbind,rprivate'],
    ['/x:/y:bind,ro', 'bind,ro,nosuid,nodev,rprivate'],
    ['/x:/y:rshared', 'rbind,nosuid,nodev,rshared'],
    ['/x:/y:nosuid,nodev', 'rbind,rprivate,nosuid,nodev'],
    ['/x:/y:U', 'rbind,nosuid,nodev,rprivate'],
    ['/x:/y:cached', 'rbind,nosuid,nodev,rprivate'],
    ['/dev/x:/y', 'rbind,nosuid,rprivate'],
    ['/devices:/y', 'rbind,nosuid,nodev,rprivate'],
  ];
  for (const [volume, expected] of cases) assert.equal(options({ volume: [volume] }), expected, volume);
});

test('sources and destinations', () => {
  assert.deepEqual(mountAt('/y', { volume: ['./a/../b:/y/'] })?.source, '/work/b');
  assert.deepEqual(mountAt('/y', { volume: ['..:/x/../y'] })?.source, '/');
  assert.deepEqual(mountAt('/y\xff', { volume: ['/\xfe:/y\xff'] })?.source, '/\xfe');
  const { sources, spec } = compile({ volume: ['/x:/y'] });
  assert.equal(sources.get(`/mounts/${(spec.mounts?.length ?? 0) - 1}`), '--volume /x:/y');
});

test('--mount', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['type=bind,source=/x,target=/y', 'rbind,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,ro', 'rbind,rro,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,destination=/y,readonly=true', 'rbind,rro,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,readonly=false', 'rbind,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,bind-propagation=rslave', 'rbind,nosuid,nodev,rslave'],
    ['type=bind,src=/x,dst=/y,bind-nonrecursive,ro', 'bind,ro,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,bind-recursive=disabled', 'bind,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,bind-recursive=writable,ro', 'rbind,ro,nosuid,nodev,rprivate'],
    ['type=bind,src=/x,dst=/y,noexec,suid', 'rbind,nodev,rprivate,noexec'],
    ['type=tmpfs,target=/y', 'noexec,nosuid,nodev'],
    ['type=tmpfs,target=/y,tmpfs-size=1m,tmpfs-mode=0700', 'noexec,nosuid,nodev,size=1048576,mode=0700'],
    ['type=tmpfs,target=/y,exec,ro', 'nosuid,nodev,ro'],
  ];
  for (const [mount, expected] of cases) assert.equal(options({ mount: [mount] }), expected, mount);
  assert.equal(mountAt('/y', { mount: ['type=bind,"source=/a,b",target=/y'] })?.source, '/a,b');
});

test('--tmpfs', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/y', 'noexec,nosuid,nodev'],
    ['/y:size=64M,mode=1777', 'noexec,nosuid,nodev,size=64m,mode=1777'],
    ['/y:exec,suid,dev', ''],
    ['/y:rw,noexec,tmpcopyup', 'noexec,nosuid,nodev,rw,tmpcopyup'],
    ['/y:size=10%,nr_inodes=1k,uid=5', 'noexec,nosuid,nodev,size=10%,nr_inodes=1k,uid=5'],
  ];
  for (const [tmpfs, expected] of cases) assert.equal(options({ tmpfs: [tmpfs] }), expected, tmpfs);
});

test('what is refused', () => {
  const volume = (text: string, reason: string): readonly [RunFlags, string] => [
    { volume: [text] },
    `invalid argument "${text}" for "-v, --volume" flag: ${reason}`,
  ];
  const mount = (text: string, reason: string): readonly [RunFlags, string] => [
    { mount: [text] },
    `invalid argument "${text}" for "--mount" flag: ${reason}`,
  ];
  const cases: readonly (readonly [RunFlags, string])[] = [
    volume('/a:/b:/c:d', 'invalid spec: /a:/b:/c:d: too many colons'),
    volume('/a:', 'invalid spec: /a:: empty section between colons'),
    volume('/x:y', "invalid mount path: 'y' mount path must be absolute"),
    volume('/x:/', "invalid specification: destination can't be '/'"),
    volume('/x:/y/..', "invalid specification: destination can't be '/'"),
    volume('/x:/y:foo', 'invalid mode: foo'),
    volume('/x:/y:ro,rw', 'conflicting options ro and rw'),
    volume('/x:/y:z,Z', 'conflicting options z and Z'),
    volume('/x:/y:shared,private', 'conflicting options shared and private'),
    mount('foo', "invalid field 'foo' must be a key=value pair"),
    mount('type=foo,target=/x', 'mount type unknown: \\"foo\\"'.replaceAll('\\"', '"')),
    mount('type=bind,source=/x', 'target is required'),
    mount('type=bind,target=/x', 'invalid mount config for type "bind": field Source must not be empty'),
    mount(
      'type=tmpfs,source=/x,target=/y',
      'invalid mount config for type "tmpfs": field Source must not be specified',
    ),
    mount('type=bind,source=/x,target=/y,foo=bar', "unexpected key 'foo' in 'foo=bar'"),
    mount(
      'type=bind,source=/x,target=/y,tmpfs-size=3',
      "cannot mix 'tmpfs-*' options with mount type 'bind'",
    ),
    mount(
      'type=tmpfs,target=/y,bind-propagation=shared',
      "cannot mix 'bind-*' options with mount type 'tmpfs'",
    ),
    mount('type=bind,source=/x,target=/y,readonly=maybe', 'invalid value for readonly: maybe'),
    mount('type=bind,source=/x,target=/y,bind-propagation=foo', 'invalid propagation mode: foo'),
    [
      { tmpfs: ['x'] },
      `invalid argument "x" for "--tmpfs" flag: invalid mount path: 'x' mount path must be absolute`,
    ],
    [{ tmpfs: ['/x:foo'] }, 'invalid argument "/x:foo" for "--tmpfs" flag: invalid tmpfs option ["foo"]'],
    [
      { tmpfs: ['/x:size=1,context=a'] },
      'invalid argument "/x:size=1,context=a" for "--tmpfs" flag: invalid tmpfs option ["context=a"]',
    ],
    [{ volume: ['/a:/y', '/b:/y/'] }, 'duplicate mount point: /y'],
    [{ volume: ['/a:/y'], tmpfs: ['/y'] }, 'duplicate mount point: /y'],
  ];
  for (const [flags, message] of cases)
    assert.equal(
      messageOf(() => compile(flags)),
      message,
      JSON.stringify(flags),
    );
  assert.match(
    messageOf(() => compile({ volume: ['a/b:/y'] })),
    /invalid characters for a local volume name/,
  );
  assert.match(
    messageOf(() => compile({ volume: [`/x:/${'y'.repeat(5000)}`] })),
    /at most 4095 bytes/,
  );
  assert.match(
    messageOf(() => compile({ volume: ['/x:/y\0z'] })),
    /NUL/,
  );
});

test('order: from the top down, and a default makes room', () => {
  const destinations = (flags: RunFlags): string[] =>
    compile(flags).spec.mounts?.map(({ destination }) => destination) ?? [];
  const two = destinations({ volume: ['/a:/x/y/z', '/b:/x'], tmpfs: ['/x/y'] });
  assert.deepEqual(two.slice(-3), ['/x', '/x/y', '/x/y/z']);
  const shm = destinations({ volume: ['/a:/dev/shm'] });
  assert.equal(shm.filter((each) => each === '/dev/shm').length, 1);
  const dev = destinations({ volume: ['/dev:/dev'] });
  assert.deepEqual(
    dev.filter((each) => each.startsWith('/dev')),
    ['/dev'],
  );
  assert.ok(
    !destinations({ volume: ['/h:/etc/hosts'] })
      .slice(0, -1)
      .includes('/etc/hosts'),
  );
});

test('root propagation follows the binds', () => {
  const propagation = (volume: string): unknown =>
    compile({ volume: [volume] }).spec.linux?.rootfsPropagation;
  assert.equal(propagation('/x:/y'), 'rprivate');
  assert.equal(propagation('/x:/y:rslave'), 'rslave');
  assert.equal(propagation('/x:/y:rshared'), 'rshared');
});

test('an id-mapped bind needs a user namespace', () => {
  const flags = { volume: ['/x:/y:idmap'] };
  assert.ok(mountAt('/y', flags, USER_HOST)?.options?.includes('idmap'));
  assert.equal(
    messageOf(() => compile(flags)),
    '--volume /x:/y:idmap: idmap needs a user namespace with mappings (--userns private, --uidmap)',
  );
});

test('relabelling and owners are asked of the engine', () => {
  const { settings } = compile({ volume: ['/x:/y:z', '/a:/b:Z,U'] });
  assert.deepEqual(
    settings.hostActions.map(({ kind, path, source }) => [kind, path, source]),
    [
      ['relabel-shared', '/x', '--volume /x:/y:z'],
      ['relabel-private', '/a', '--volume /a:/b:Z,U'],
      ['chown', '/a', '--volume /a:/b:Z,U'],
    ],
  );
});

test('inherited namespaces change the default mounts', () => {
  const host = { network: 'host', pid: 'host', ipc: 'host' };
  assert.equal(mountAt('/sys', host)?.type, 'sysfs');
  assert.equal(mountAt('/sys', host, USER_HOST)?.type, 'bind');
  assert.ok(mountAt('/sys', host, USER_HOST)?.options?.includes('rro'));
  assert.equal(mountAt('/proc', host)?.type, 'proc');
  assert.equal(mountAt('/proc', host, USER_HOST)?.type, 'bind');
  assert.equal(mountAt('/dev/shm', host)?.type, 'bind');
  assert.equal(mountAt('/dev/mqueue', host)?.type, 'mqueue');
  assert.equal(mountAt('/dev/mqueue', host, USER_HOST), undefined);
  assert.ok(mountAt('/dev/shm', { shmSize: '1m' })?.options?.includes('size=1048576'));
  assert.ok(mountAt('/sys/fs/cgroup', { privileged: true })?.options?.includes('rw'));
  assert.ok(mountAt('/sys/fs/cgroup', { securityOpt: ['writable-cgroups=true'] })?.options?.includes('rw'));
  assert.deepEqual(compile({ mountNs: 'host' }).spec.mounts, []);
  assert.deepEqual(compile({ mountNs: 'host' }).spec.root, { path: '/' });
});

test('generated files', () => {
  const content = (name: string, flags: RunFlags): string | undefined =>
    compile(flags).files.find(({ path }) => path === `/state/${name}`)?.content;
  assert.equal(content('hostname', { hostname: 'pier' }), 'pier\n');
  assert.equal(
    content('hosts', { hostname: 'pier', addHost: ['db:192.0.2.1', 'six=[2001:db8::1]', 'b:::1'] }),
    '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tpier\n' +
      '192.0.2.1\tdb\n2001:db8::1\tsix\n::1\tb\n',
  );
  assert.equal(
    content('hosts', { network: 'host', addHost: ['x:host-gateway'] }),
    `${ROOT_HOST.hosts}127.0.0.1\tx\n`,
  );
  assert.equal(content('resolv.conf', {}), '');
  assert.equal(
    content('resolv.conf', { network: 'host' }),
    'nameserver 192.0.2.53\nsearch example.org\noptions ndots:2\n',
  );
  assert.equal(
    content('resolv.conf', {
      network: 'host',
      dns: ['1.2.3.4'],
      dnsSearch: ['.'],
      dnsOption: ['rotate', 'timeout:1'],
    }),
    'nameserver 1.2.3.4\noptions rotate timeout:1\n',
  );
});

test('addresses', () => {
  for (const good of [
    '1.2.3.4',
    '0.0.0.0',
    '255.255.255.255',
    '::',
    '::1',
    '2001:db8::1',
    '1:2:3:4:5:6:7:8',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '1::',
  ]) {
    assert.ok(isAddress(good), good);
  }
  for (const bad of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    '::1.2.3',
    'x',
  ]) {
    assert.ok(!isAddress(bad), bad);
  }
});

test('comma-separated values', () => {
  assert.deepEqual(splitCsv('a,b,,c'), ['a', 'b', '', 'c']);
  assert.deepEqual(splitCsv('"a,b",c'), ['a,b', 'c']);
  assert.deepEqual(splitCsv('a,"b""c"'), ['a', 'b"c']);
  assert.throws(() => splitCsv('"a'));
  assert.throws(() => splitCsv('"a"b,c'));
});
