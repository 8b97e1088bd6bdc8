// Tests of the plan for the view of the host's files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { memoryLength } from '../plan/call.ts';
import type { Step } from '../plan/step.ts';
import { directoriesToList, hostRoot, mountsToStat } from './host-root.ts';
import type { HostEntry, HostRootFacts } from './host-view.ts';

const MOUNTS = parseMountinfo(`27 1 254:0 / / rw - ext4 /dev/vda rw
22 27 0:21 / /proc rw - proc proc rw
30 22 0:30 / /proc/sys/fs/binfmt_misc rw - autofs none rw
31 27 8:1 / /srv/a/data rw,nosuid,nodev - xfs /dev/sda1 rw
32 27 254:0 /x /etc/hosts rw - ext4 /dev/vda rw
33 27 8:2 / /boot/efi rw - vfat /dev/sda2 rw
`);

const directory = (name: string, more: Partial<HostEntry> = {}): HostEntry => ({
  name,
  type: 'directory',
  mode: 0o755,
  size: 0,
  readable: true,
  ...more,
});
const file = (name: string, size: number, more: Partial<HostEntry> = {}): HostEntry => ({
  ...directory(name, { type: 'file', mode: 0o644 }),
  size,
  ...more,
});

const LISTINGS = new Map<string, HostEntry[]>([
  [
    '/',
    [
      directory('boot'),
      directory('etc'),
      directory('proc', { mode: 0o555 }),
      directory('root', { mode: 0o700, readable: false }),
      directory('srv'),
      directory('tmp', { mode: 0o1777 }),
      directory('usr'),
      { ...directory('bin'), type: 'symlink', target: 'usr/bin' },
      { ...directory('initctl'), type: 'other' },
      file('small', 10),
      file('swapfile', 1 << 30),
    ],
  ],
  ['/boot', [directory('efi')]],
  ['/etc', [file('hosts', 20), file('shadow', 30, { readable: false }), directory('apt')]],
  ['/srv', [directory('a')]],
  ['/srv/a', [directory('data'), directory('other')]],
]);

function facts(more: Partial<HostRootFacts> = {}): HostRootFacts {
  const fileMounts = new Set(['/etc/hosts']);
  return { mounts: MOUNTS, kernel: [6, 18], userNamespace: false, listings: LISTINGS, fileMounts, ...more };
}

const titles = (steps: readonly Step[]) => steps.map((step) => step.title);

/** All strings of the calls `name` in `steps`. */
function strings(steps: readonly Step[], name: string): string[][] {
  const calls = steps.flatMap((step) => step.calls).filter((call) => call.name === name);
  return calls.map((call) =>
    call.args.flatMap((arg) =>
      arg.kind === 'memory' && arg.memory.kind === 'string' ? [arg.memory.bytes] : [],
    ),
  );
}

test('which directories of the host must be listed', () => {
  assert.deepEqual(directoriesToList(MOUNTS, false), []);
  assert.deepEqual(directoriesToList(MOUNTS, true), ['/', '/boot', '/etc', '/srv', '/srv/a', '/var']);
  const home = ['/srv/home/me', '/proc/1', 'relative'];
  assert.deepEqual(directoriesToList(MOUNTS.slice(0, 2), true, home), ['/', '/srv', '/srv/home', '/var']);
  assert.deepEqual(mountsToStat(MOUNTS), ['/boot/efi', '/etc/hosts', '/srv/a/data']);
});

test('without a user namespace: an overlay of the root and of each further file system', () => {
  const { steps } = hostRoot(facts(), { cause: 'test' });
  assert.deepEqual(titles(steps), [
    'a tmpfs for the changes, which vanish with the container',
    'overlay / of this machine',
    'bind read-only /boot/efi of this machine',
    'bind read-only /etc/hosts of this machine',
    'overlay /srv/a/data of this machine',
    'attach the root, and its parts below it',
  ]);
  assert.ok(!strings(steps, 'fsconfig').some(([key]) => key === 'userxattr'));
  assert.ok(strings(steps, 'mkdirat').some(([name]) => name === 'mounts/srv%2Fa%2Fdata'));
  const nosuidNodev = steps[4]?.calls.find((call) => call.name === 'fsmount')?.args[2];
  assert.ok(nosuidNodev?.kind === 'number' && nosuidNodev.value === 6);
});

test('in a user namespace: directories with mounts below are taken apart', () => {
  const { steps } = hostRoot(facts({ userNamespace: true }), { cause: 'test' });
  assert.deepEqual(titles(steps), [
    'a tmpfs for the changes, which vanish with the container',
    'a new root directory',
    'directory /boot, whose entries follow',
    'bind read-only /boot/efi',
    'directory /etc, whose entries follow',
    'bind read-only /etc/hosts',
    'bind read-only /etc/shadow',
    'overlay /etc/apt of this machine',
    'empty directory /proc',
    'empty directory /root',
    'directory /srv, whose entries follow',
    'directory /srv/a, whose entries follow',
    'overlay /srv/a/data of this machine',
    'overlay /srv/a/other of this machine',
    'overlay /tmp of this machine',
    'overlay /usr of this machine',
    'link /bin to usr/bin',
    'copy /small',
    'bind read-only /swapfile',
    'attach the root, and its parts below it',
  ]);
  const works = strings(steps, 'fsconfig').filter(([key]) => key === 'workdir');
  assert.deepEqual(works.slice(0, 4), [
    ['workdir', '../../../work/0'],
    ['workdir', '../../../../work/1'],
    ['workdir', '../../../../work/2'],
    ['workdir', '../../work/3'],
  ]);
});

test('the tmpfs of the layers is gone from / before the root is there', () => {
  for (const userNamespace of [false, true]) {
    const names = hostRoot(facts({ userNamespace }), { cause: 'test' })
      .steps.at(-1)
      ?.calls.map((call) => call.name);
    assert.deepEqual(names?.slice(0, 3), ['fchdir', 'umount2', 'move_mount']);
  }
  const kept = hostRoot(facts(), { cause: 'test', upper: '/srv/kept' });
  assert.equal(kept.steps[0]?.title, 'changes are kept in /srv/kept/upper');
  assert.equal(kept.steps.at(-1)?.calls[0]?.name, 'move_mount');
  assert.ok(!strings(kept.steps, 'fsopen').some(([type]) => type === 'tmpfs'));
});

test('a name that this kernel cannot take as a layer is bound read-only', () => {
  const listings = new Map([['/', [directory('a,b'), directory('c:d'), directory('é'.repeat(120))]]]);
  const mounts = MOUNTS.slice(0, 1);
  const plan = (kernel: [number, number]) =>
    titles(hostRoot(facts({ userNamespace: true, listings, mounts, kernel }), { cause: 'test' }).steps).slice(
      2,
      4,
    );
  assert.deepEqual(plan([6, 1]), ['bind read-only /a,b', 'overlay /c:d of this machine']);
  assert.deepEqual(plan([6, 5]), ['overlay /a,b of this machine', 'overlay /c:d of this machine']);
  const { steps } = hostRoot(facts({ userNamespace: true, listings, mounts }), { cause: 'test' });
  assert.ok(strings(steps, 'fsconfig').some(([key, path]) => key === 'lowerdir' && path === '/c\\:d'));
});

test('no string of fsconfig is longer than the kernel takes', () => {
  const name = ':'.repeat(200);
  const listings = new Map([['/', [directory(name)]]]);
  const { steps } = hostRoot(facts({ userNamespace: true, listings, mounts: MOUNTS.slice(0, 1) }), {
    cause: 'test',
  });
  assert.equal(steps[2]?.title, `bind read-only /${name}`);
  for (const step of steps) {
    for (const call of step.calls) {
      if (call.name !== 'fsconfig') continue;
      for (const arg of call.args) if (arg.kind === 'memory') assert.ok(memoryLength(arg.memory) <= 256);
    }
  }
});
