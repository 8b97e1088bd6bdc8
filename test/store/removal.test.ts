// Removal of trees that strangers made: deep, wide, locked, with any names and types, as root and as ordinary users.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { LauncherKernel } from '../../src/image/store/launcher-kernel.ts';
import { type Caller, STRANGER, subordinateCaller } from '../harness/caisson.ts';
import { act } from './actions.ts';
import { makeTemporary, openReal, port, work } from './world.ts';

const directory = makeTemporary(true);
chmodSync(directory, 0o755);
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const isRoot = process.getuid?.() === 0;

/** Runs a script of perl in a directory: it makes names and depths that node:fs does not. */
function perl(where: string, script: string): void {
  const { status, stderr } = spawnSync('perl', ['-e', script], { cwd: where, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

async function remove(path: string): Promise<void> {
  const kernel = new LauncherKernel(await port());
  try {
    await kernel.removeTree(path);
  } finally {
    await kernel.close();
  }
}

const TREES: Readonly<Record<string, string>> = {
  // 3,000 levels: the path has more than twice PATH_MAX.
  deep: 'for (1..3000) { mkdir "dd$_" or die; chdir "dd$_" or die } open F, ">f"',
  wide: 'for (1..6000) { open F, ">", "a file with a name of some length $_" or die; close F }',
  'wide with directories':
    'for (1..2500) { mkdir "directory $_" or die; open F, ">", "directory $_/f"; close F }',
  names:
    'for ("\\n", "\\xff\\xfe", "a" x 255, "-rf", "*", ".gone-0", "...", "\\xe2\\x80\\xae") { mkdir $_ or die; open F, ">", "$_/$_" or die }',
  locked: 'mkdir "a"; mkdir "a/b"; open F, ">a/b/f"; chmod 0, "a/b/f", "a/b", "a"',
  links:
    'symlink "/", "root"; symlink "..", "up"; symlink "loop", "loop"; mkdir "d"; symlink "../..", "d/out"; link "d/out", "hard"',
};

test('any tree is removed, and nothing else', async () => {
  for (const [name, script] of Object.entries(TREES)) {
    const path = `${directory}/${name}`;
    mkdirSync(`${path}/tree`, { recursive: true });
    writeFileSync(`${directory}/witness`, 'here');
    perl(`${path}/tree`, script);
    await remove(path);
    assert.equal(existsSync(path), false, name);
    assert.equal(readFileSync(`${directory}/witness`, 'utf8'), 'here');
  }
  await remove(`${directory}/not there`);
});

test('special files are removed without being opened', {
  skip: !isRoot && 'device nodes need root',
}, async () => {
  const path = `${directory}/special`;
  mkdirSync(path);
  const made = spawnSync('sh', ['-c', 'mkfifo fifo; mknod null c 1 3; mknod disk b 7 99; chmod 4755 null'], {
    cwd: path,
  });
  assert.equal(made.status, 0);
  perl(path, 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("socket")) or die');
  await remove(path);
  assert.equal(existsSync(path), false);
});

test('a link in the place of the tree is not followed', async () => {
  mkdirSync(`${directory}/target/inside`, { recursive: true });
  spawnSync('ln', ['-s', 'target', `${directory}/link`]);
  await assert.rejects(remove(`${directory}/link`), { code: 'ESYSCALL' });
  assert.equal(existsSync(`${directory}/target/inside`), true);
  assert.equal(lstatSync(`${directory}/link`).isSymbolicLink(), true);
});

test('a tree in which something is mounted stays, is told of, and does not keep the others', {
  skip: !isRoot && 'mounting needs root',
}, async () => {
  const root = `${directory}/mounted`;
  const store = await openReal(root);
  await act(store, ['pull', 'one']);
  for (const name of ['.gone-a', '.gone-b']) mkdirSync(`${root}/layers/${name}/tree/d`, { recursive: true });
  const mounted = `${root}/layers/.gone-a/tree/d`;
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', mounted]).status, 0);
  try {
    await act(store, ['remove', 'one']);
    const { blobs, problems } = await store.garbage();
    assert.equal(blobs.length, 5);
    assert.match(problems.join(), /\.gone-a: .*EBUSY/);
    assert.deepEqual(readdirSync(`${root}/layers`), ['.gone-a']);
  } finally {
    const inside = readFileSync('/proc/self/mounts', 'latin1')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const place of inside.filter((one) => one.startsWith(root))) spawnSync('umount', [place]);
  }
  assert.deepEqual((await store.garbage()).problems, []);
  assert.deepEqual(readdirSync(`${root}/layers`), []);
  await store.close();
});

/** Runs the worker as an ordinary user on a store of theirs. */
async function asUser({ uid, gid }: Caller, name: string, script: (layers: string) => string): Promise<void> {
  const home = `${directory}/${name}`;
  const root = `${home}/store`;
  mkdirSync(home);
  spawnSync('chown', [`${uid}:${gid}`, home]);
  const become = ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  const pull = await work({ root, actions: [['pull', 'one'], ['verify']] }, become);
  assert.equal(pull.code, 0, pull.stderr);
  assert.equal(pull.lines[1], 'verify 0');
  const made = spawnSync('sh', ['-ec', script(`${root}/layers`)], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const collect = await work(
    {
      root,
      actions: [
        ['remove', 'one'],
        ['gc', '0'],
      ],
    },
    become,
  );
  assert.equal(collect.code, 0, collect.stderr);
  assert.deepEqual(readdirSync(`${root}/layers`), []);
}

/** A checkout that ordinary users cannot read has nothing to run for them. */
function userSkip(caller: Caller | undefined): string | false {
  if (!isRoot || caller === undefined) return 'needs root, to be another user, and that user';
  const ids = ['--reuid', String(caller.uid), '--regid', String(caller.gid), '--clear-groups'];
  const launcher = `${process.cwd()}/build/launcher`;
  return spawnSync('setpriv', [...ids, 'test', '-x', launcher]).status === 0
    ? false
    : `${launcher} is not for everybody`;
}

test('a user without subordinate ids has a store, and removes what locks them out', {
  skip: userSkip(STRANGER),
}, async () => {
  const { uid, gid } = STRANGER;
  await asUser(
    STRANGER,
    'stranger',
    (layers) => `
      mkdir -p ${layers}/.gone-x/tree/a/b
      touch ${layers}/.gone-x/tree/a/b/f
      chown -R ${uid}:${gid} ${layers}/.gone-x
      chmod 0 ${layers}/.gone-x/tree/a/b ${layers}/.gone-x/tree/a ${layers}/.gone-x/tree`,
  );
});

const subordinate = subordinateCaller();

test('a user with subordinate ids removes files of these', { skip: userSkip(subordinate) }, async () => {
  assert.ok(subordinate !== undefined);
  const range = readFileSync('/etc/subuid', 'utf8').match(/^caisson-test:(\d+):/m)?.[1];
  if (range === undefined) return;
  await asUser(
    subordinate,
    'subordinate',
    (layers) => `
      mkdir -p ${layers}/.gone-x/tree/a/b
      touch ${layers}/.gone-x/tree/a/b/f
      chown ${subordinate.uid}:${subordinate.gid} ${layers}/.gone-x ${layers}/.gone-x/tree
      chown -R ${Number(range) + 5}:${Number(range) + 5} ${layers}/.gone-x/tree/a
      chmod 0700 ${layers}/.gone-x/tree/a`,
  );
});
