// A small file system that fills up, a read-only one, and one that belongs to another user (F05, F19).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { makeTemporary, work } from './world.ts';

const directory = makeTemporary();
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const skip = process.getuid?.() === 0 ? false : 'mounting needs root';

/** Mounts a tmpfs of so many KiB in a mount namespace of its own, and runs what follows there. */
function inTmpfs(mountPoint: string, kibibytes: number, before = 'true'): string[] {
  mkdirSync(mountPoint, { recursive: true });
  const script = `mount -t tmpfs -o size=${kibibytes}k,mode=0700 none ${mountPoint} && ${before} && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh'];
}

/** Runs the tasks, or commands of the shell, one after the other in the same small file system. */
async function inSequence(mountPoint: string, kibibytes: number, tasks: readonly (object | string)[]) {
  const worker = `${new URL(import.meta.url).pathname.replace(/full-disk\.test(\..s)$/, 'worker$1')}`;
  const commands = tasks.map((task) =>
    typeof task === 'string' ? task : `"$0" "${worker}" '${JSON.stringify(task)}' 2>&1; echo "exit $?"`,
  );
  const [program = '', ...args] = inTmpfs(mountPoint, kibibytes);
  const script = [...args.slice(0, -1), 'sh', 'sh', '-c', commands.join('\n'), process.execPath];
  const ended = spawnSync(program, script, { encoding: 'latin1' });
  return ended.stdout.split('\n').filter((line) => line !== '');
}

test('F05: a disk that is full at any point of a pull: one clear error, and what is there is whole', {
  skip,
}, async () => {
  const root = `${directory}/full/store`;
  const codes = new Set<string>();
  for (let kibibytes = 4; kibibytes <= 200; kibibytes += 12) {
    const pull = { root, actions: [['pull', 'one']] };
    const check = { root, actions: [['verify'], ['gc', '0'], ['verify']] };
    const lines = await inSequence(`${directory}/full`, kibibytes, [pull, check]);
    const text = lines.join('\n');
    const [first, second] = lines.filter((line) => line.startsWith('exit'));
    codes.add(first ?? '');
    if (first !== 'exit 0') {
      // The store's error, or that of the test's own unpacking.
      assert.match(text, /EDISK: .*\(ENOSPC\)|ESYSCALL: .*\(ENOSPC\)|ENOSPC: /, `${kibibytes} KiB: ${text}`);
    }
    // Where not even the empty store fits, there is none to verify.
    if (second === 'exit 0') assert.match(text, /verify 0[\s\S]*verify 0/, `${kibibytes} KiB: ${text}`);
    else assert.match(text.slice(text.indexOf(first ?? '')), /ENOSPC|no image/, text);
  }
  assert.deepEqual([...codes].sort(), ['exit 0', 'exit 1']);
});

test('F05: with room again the same pull succeeds', { skip }, async () => {
  const root = `${directory}/again/store`;
  const lines = await inSequence(`${directory}/again`, 120, [
    { root, actions: [['pull', 'one']] },
    { root, actions: [['remove', 'one'], ['gc', '0'], ['pull', 'three'], ['verify']] },
  ]);
  assert.match(lines.join('\n'), /ENOSPC[\s\S]*exit 1[\s\S]*pulled three[\s\S]*verify 0[\s\S]*exit 0/);
});

test('F05: on a disk that others have filled images can be removed', { skip }, async () => {
  const mount = `${directory}/filled`;
  const root = `${mount}/store`;
  const lines = await inSequence(mount, 400, [
    { root, actions: [['pull', 'one']] },
    `dd if=/dev/zero of=${mount}/others bs=1k 2> ${mount}/../dd; dd if=/dev/zero bs=1 of=${mount}/more 2> ${mount}/../dd`,
    { root, actions: [['remove', 'one'], ['gc', '0'], ['pull', 'three'], ['verify']] },
  ]);
  assert.match(lines.join('\n'), /removed one true\ngc false 5 3\npulled three 1\nverify 0[\s\S]*exit 0$/);
});

test('F19: a read-only file system and a directory of another user are told of', { skip }, async () => {
  const root = `${directory}/readonly/store`;
  const pull = { root, actions: [['pull', 'one']] };
  const mount = `${directory}/readonly`;
  const readOnly = await work(pull, inTmpfs(mount, 400, `mount -o remount,ro ${mount}`));
  assert.equal(readOnly.code, 1);
  assert.match(readOnly.stderr, /EROFS/);
  const made = `mkdir -m 0755 ${root} && chown 1000:1000 ${root}`;
  const other = await work(pull, inTmpfs(mount, 400, made));
  assert.match(other.stderr, /is not a directory that only you can write to/);
  const link = `mkdir -m 0755 ${mount}/real && ln -s real ${root}`;
  const linked = await work(pull, inTmpfs(mount, 400, link));
  assert.equal(linked.code, 0, linked.stderr);
});
