// Who a container's process is: user, groups, umask, the five capability sets, no_new_privs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { CAPABILITIES, capabilities, Harness, rootless, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const BITS: Readonly<Record<string, number>> = {
  CAP_CHOWN: 0,
  CAP_KILL: 5,
  CAP_NET_BIND_SERVICE: 10,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_ADMIN: 21,
  CAP_MKNOD: 27,
};

function maskOf(...names: readonly string[]): string {
  const mask = names.reduce((sum, name) => sum | (1n << BigInt(BITS[name] ?? 63)), 0n);
  return mask.toString(16).padStart(16, '0');
}

const SETS = 'grep -E "^Cap" /proc/self/status | cut -f2';

/** Inheritable, permitted, effective, bounding, ambient. */
const sets = (output: string) => output.split('\n');

test('the five sets of root are as the configuration says', { skip }, () => {
  const given = {
    bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD'],
    permitted: ['CAP_CHOWN', 'CAP_KILL'],
    effective: ['CAP_CHOWN', 'CAP_KILL'],
    inheritable: ['CAP_KILL'],
    ambient: ['CAP_KILL'],
  };
  const show = (noNewPrivileges: boolean) =>
    sets(harness.ociOutput({ process: { capabilities: given, noNewPrivileges } }, SETS));
  const kill = maskOf('CAP_KILL');
  const all = maskOf('CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD');
  const some = maskOf('CAP_CHOWN', 'CAP_KILL');
  assert.deepEqual(show(true), [kill, some, some, all, kill]);
  // execve(2) of root gives what is in the bounding or the inheritable set (capabilities(7)).
  assert.deepEqual(show(false), [kill, all, all, all, kill]);
});

test('a capability that nobody knows is left out', { skip }, () => {
  const process = { capabilities: capabilities(['CAP_KILL', 'CAP_OF_TOMORROW']) };
  assert.equal(harness.ociOutput({ process }, 'grep CapEff /proc/self/status | cut -f2'), maskOf('CAP_KILL'));
});

test('root without capabilities has none', { skip }, () => {
  const none = '0000000000000000';
  assert.deepEqual(sets(harness.ociOutput({ process: { capabilities: {} } }, SETS)), [
    none,
    none,
    none,
    none,
    none,
  ]);
  assert.deepEqual(sets(harness.output(['--cap-drop', 'ALL'], SETS)), [none, none, none, none, none]);
});

test('a user keeps only ambient capabilities over execve', { skip: rootOnly }, () => {
  const user = { uid: 1000, gid: 1001 };
  const names = ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE'];
  const without = { user, capabilities: capabilities(names, { inheritable: [] }) };
  const none = '0000000000000000';
  assert.deepEqual(sets(harness.ociOutput({ process: without }, SETS)), [
    none,
    none,
    none,
    maskOf(...names),
    none,
  ]);
  const one = ['CAP_NET_BIND_SERVICE'];
  const ambient = { user, capabilities: capabilities(names, { inheritable: one, ambient: one }) };
  const bind = maskOf(...one);
  assert.deepEqual(sets(harness.ociOutput({ process: ambient }, SETS)), [
    bind,
    bind,
    bind,
    maskOf(...names),
    bind,
  ]);
});

test('--cap-add and --cap-drop change the default set', { skip }, () => {
  const [, , before = ''] = sets(harness.output([], SETS));
  const bit = (mask: string, name: string) => (BigInt(`0x${mask}`) >> BigInt(BITS[name] ?? 63)) & 1n;
  assert.equal(bit(before, 'CAP_KILL'), 1n);
  assert.equal(bit(before, 'CAP_SYS_ADMIN'), 0n);
  const [, permitted = '', effective = '', bounding = ''] = sets(
    harness.output(['--cap-drop', 'KILL', '--cap-add', 'CAP_SYS_ADMIN'], SETS),
  );
  for (const mask of [permitted, effective, bounding]) {
    assert.equal(bit(mask, 'CAP_KILL'), 0n);
    assert.equal(bit(mask, 'CAP_SYS_ADMIN'), 1n);
  }
  const [only] = sets(
    harness.output(['--cap-drop', 'all', '--cap-add', 'chown'], 'grep CapEff /proc/self/status | cut -f2'),
  );
  assert.equal(only, maskOf('CAP_CHOWN'));
});

test('--privileged has every capability that the caller has', { skip: rootOnly }, () => {
  const own = execFileSync('grep', ['CapPrm', '/proc/self/status'], { encoding: 'utf8' })
    .trim()
    .split('\t')[1];
  assert.equal(harness.output(['--privileged'], 'grep CapEff /proc/self/status | cut -f2'), own);
});

test('a missing capability is felt', { skip }, () => {
  const script = 'touch /tmp/f; chown 0:0 /tmp/f 2>/dev/null; chroot / true && echo chroot';
  assert.equal(harness.ociOutput({}, script), 'chroot');
  const without = capabilities(CAPABILITIES.filter((name) => name !== 'CAP_SYS_CHROOT'));
  assert.match(
    harness.oci({ process: { capabilities: without } }, script).stderr,
    /can't change root directory to '\/': Operation not permitted/,
  );
});

test('no_new_privs is there where it is asked for', { skip }, () => {
  const show = 'grep NoNewPrivs /proc/self/status | cut -f2';
  assert.equal(harness.ociOutput({ process: { noNewPrivileges: true } }, show), '1');
  assert.equal(harness.ociOutput({ process: { noNewPrivileges: false } }, show), '0');
  assert.equal(harness.output([], show), '1');
  assert.equal(harness.output(['--security-opt', 'no-new-privileges=false'], show), '0');
});

test('no_new_privs stops set-user-id programs', { skip: rootOnly }, () => {
  execFileSync('sh', [
    '-c',
    `cp ${harness.rootfs}/bin/syscall ${harness.rootfs}/bin/setuid && chmod 4755 ${harness.rootfs}/bin/setuid`,
  ]);
  const GETEUID = 107;
  const run = (noNewPrivileges: boolean) =>
    harness.ociOutput(
      { process: { noNewPrivileges, user: { uid: 1000, gid: 1001 } } },
      `/bin/setuid ${GETEUID}`,
    );
  assert.equal(run(false), '0');
  assert.equal(run(true), '1000');
});

test('user and groups of the configuration', { skip: rootOnly }, () => {
  const process = { user: { uid: 1000, gid: 1001, additionalGids: [50, 63, 4000000] } };
  const script = 'grep -E "^(Uid|Gid|Groups)" /proc/self/status | tr -s "\\t " " "';
  assert.deepEqual(
    harness
      .ociOutput({ process }, script)
      .trim()
      .split('\n')
      .map((line) => line.trim()),
    ['Uid: 1000 1000 1000 1000', 'Gid: 1001 1001 1001 1001', 'Groups: 50 63 4000000'],
  );
  assert.equal(harness.ociOutput({ process: { user: { uid: 0, gid: 0 } } }, 'id -G'), '0');
});

test('--user by name, number and with a group; --group-add', { skip: rootOnly }, () => {
  const id = 'id -u; id -g; id -G; echo $HOME';
  const expected: readonly (readonly [readonly string[], string])[] = [
    [[], '0 0 0 /root'],
    [['-u', 'alice'], '1000 1001 1001 50 63 /home/alice'],
    [['-u', '1000'], '1000 1001 1001 50 63 /home/alice'],
    [['-u', 'alice:staff'], '1000 50 50 /home/alice'],
    [['-u', '1234:5678'], '1234 5678 5678 /'],
    [['-u', 'alice', '--group-add', '777'], '1000 1001 1001 50 63 777 /home/alice'],
    [['--group-add', 'audio'], '0 0 0 63 /root'],
  ];
  for (const [flags, line] of expected)
    assert.equal(harness.output(flags, id).split('\n').join(' '), line, flags.join(' '));
});

test('the umask is set, and 022 without one', { skip }, () => {
  assert.equal(harness.ociOutput({}, 'umask'), '0022');
  assert.equal(harness.ociOutput({ process: { user: { uid: 0, gid: 0, umask: 0o77 } } }, 'umask'), '0077');
  assert.equal(harness.output(['--umask', '0007'], 'umask'), '0007');
});

test("an ordinary user has root's id inside and its own outside", {
  skip: skip || (!rootless && 'the round as a user'),
}, () => {
  const lines = harness
    .output([], 'id -u; id -g; cat /proc/self/uid_map')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '));
  assert.deepEqual(lines.slice(0, 2), ['0', '0']);
  assert.ok(lines[2]?.startsWith(`0 ${harness.caller.uid} 1`), lines[2]);
});
