// linux.netDevices: devices of the host go into the container's network namespace, with their names and addresses.
//
// config-linux.md, Network Devices. Each test has a network namespace that plays the host.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { skip as missing } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** Why there can be no such device here. */
function noVeth(): string | false {
  const made = spawnSync('unshare', ['-n', 'ip', 'link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0']);
  return made.status === 0 ? false : 'no pair of virtual Ethernet devices can be made';
}

const skipAll = missing || noVeth();

for (const runtime of RUNTIMES) {
  const { name } = runtime;
  const skip = runtime.skip || skipAll;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  const namespaces = ['mount', 'pid', 'uts', 'ipc', 'network'].map((type) => ({ type }));

  /** Runs a script in a container with these devices, in a namespace that `host` prepares. */
  function run(netDevices: object, host: string, script: string, linux: object = {}, after = 'true') {
    const bundle = harness.bundle({ linux: { namespaces, netDevices, ...linux } }, script);
    const prepare = `set -e; ip link add a0 type veth peer name b0; ${host}; set +e; "$@"; code=$?; ${after}; exit $code`;
    const prefix = ['unshare', '-n', 'sh', '-c', prepare, 'sh'];
    return harness.call(['run', '--bundle', bundle, harness.newId()], { prefix });
  }

  test(`${name}: a device keeps what it had, is up, and is gone from the host`, { skip }, () => {
    const host = [
      'ip link set a0 mtu 1400 address 02:00:00:00:00:09',
      'ip addr add 10.9.8.7/24 broadcast 10.9.8.255 dev a0',
      'ip addr add 10.9.8.8/32 dev a0 scope link',
      'ip -6 addr add fd00::9/64 dev a0 nodad || true',
      'ip link set a0 up',
    ].join('; ');
    const { code, stdout, stderr } = run(
      { a0: {} },
      host,
      'ip addr show',
      {},
      'ip link show a0 2>&1; ip link',
    );
    assert.equal(code, 0, stderr);
    const inside = stdout.slice(0, stdout.indexOf('does not exist'));
    assert.match(inside, /a0@[^:]*: <[^>]*\bUP\b[^>]*> mtu 1400/);
    assert.match(inside, /link\/ether 02:00:00:00:00:09/);
    assert.match(inside, /inet 10\.9\.8\.7\/24 brd 10\.9\.8\.255 scope global/);
    assert.match(inside, /inet6 fd00::9\/64 scope global/);
    assert.doesNotMatch(inside, /10\.9\.8\.8/, 'an address of another scope stays behind');
    assert.match(stdout, /Device "a0" does not exist/);
    harness.assertNothingLeft();
  });

  test(`${name}: a device is renamed, and the name may be the kernel's to make`, { skip }, () => {
    const renamed = run(
      { a0: { name: 'inside0' } },
      'ip addr add 10.9.8.7/24 dev a0',
      'ip addr show inside0',
    );
    assert.equal(renamed.code, 0, renamed.stderr);
    assert.match(renamed.stdout, /inet 10\.9\.8\.7\/24/);

    const both = run(
      { a0: { name: 'net%d' }, b0: { name: 'net%d' } },
      'ip addr add 10.9.8.7/24 dev a0',
      'ip addr',
    );
    assert.equal(both.code, 0, both.stderr);
    assert.match(both.stdout, /net0@[^:]*: <[^>]*\bUP\b/);
    assert.match(both.stdout, /net1@[^:]*: <[^>]*\bUP\b/);
    assert.match(both.stdout, /inet 10\.9\.8\.7\/24/);
  });

  test(`${name}: what cannot be moved ends the start`, { skip }, () => {
    const absent = run({ nonexistent0: {} }, 'true', 'true');
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /there is no network device nonexistent0 on this host/);

    const taken = run({ a0: { name: 'lo' } }, 'true', 'true', {}, 'ip -o link show a0');
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /no network device is named lo: file exists/);
    assert.match(taken.stdout, /a0@b0/, 'it stays on the host');
    harness.assertNothingLeft();
  });

  test(`${name}: a joined network namespace, and a new user namespace`, { skip }, () => {
    const joined = `${harness.directory}/netns`;
    const host = `touch ${joined}; unshare --net=${joined} true; ip addr add 10.9.8.7/24 dev a0`;
    const others = namespaces.filter(({ type }) => type !== 'network');
    const linux = { namespaces: [...others, { type: 'network', path: joined }] };
    const into = run({ a0: { name: 'in0' } }, host, 'ip addr show in0', linux, `umount ${joined}`);
    assert.equal(into.code, 0, into.stderr);
    assert.match(into.stdout, /inet 10\.9\.8\.7\/24/);

    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const mapped = { namespaces: [...namespaces, { type: 'user' }], uidMappings: map, gidMappings: map };
    const own = run({ a0: {} }, 'ip addr add 10.9.8.7/24 dev a0', 'ip addr show a0', mapped);
    assert.equal(own.code, 0, own.stderr);
    assert.match(own.stdout, /inet 10\.9\.8\.7\/24/);
    harness.assertNothingLeft();
  });

  test(`${name}: a device stays where it was moved to, when the container has gone`, { skip }, () => {
    const joined = `${harness.directory}/netns-left`;
    const others = namespaces.filter(({ type }) => type !== 'network');
    const linux = { namespaces: [...others, { type: 'network', path: joined }] };
    const look = `nsenter --net=${joined} ip addr show in0; ip link show in0 2>&1; umount ${joined}`;
    const host = `touch ${joined}; unshare --net=${joined} true; ip addr add 10.9.8.7/24 dev a0`;
    const { code, stdout, stderr } = run({ a0: { name: 'in0' } }, host, 'true', linux, look);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /in0@[^:]*: <[^>]*\bUP\b[\s\S]*inet 10\.9\.8\.7\/24/);
    assert.match(stdout, /Device "in0" does not exist/, 'it was not taken back');
    harness.assertNothingLeft();
  });
}
