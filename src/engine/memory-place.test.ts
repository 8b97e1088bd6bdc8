// Whether a directory is in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileStat } from '../host/port.ts';
import { diskUnder, secretsOnDisk } from './memory-place.ts';

const MOUNTS = [
  '1 0 254:0 / / rw - ext4 /dev/vda rw',
  '2 1 0:23 / /run rw - tmpfs tmpfs rw',
  '3 1 0:40 / /home rw - btrfs /dev/vdb rw',
  '4 2 254:0 /disk /run/disk rw - ext4 /dev/vda rw',
  '5 1 0:23 / /run/disk/again rw - tmpfs tmpfs rw',
  '',
].join('\n');
const STAT: FileStat = { type: 'directory', mode: 0o700, uid: 0, gid: 0, rdev: 0, dev: 0, ino: 1, size: 0 };

function port(dev?: number) {
  return {
    readFile: (path: string) => (path === '/proc/self/mountinfo' ? MOUNTS : undefined),
    stat: () => (dev === undefined ? undefined : { ...STAT, dev }),
  };
}

test('by the device', () => {
  assert.equal(diskUnder(port(254 * 256), '/var/run/link'), 'ext4');
  assert.equal(diskUnder(port(23), '/var/run/link'), undefined, 'a link to /run');
});

test('by the path, where the device is none of the table', () => {
  assert.equal(diskUnder(port(77), '/home/ana'), 'btrfs');
  assert.equal(diskUnder(port(), '/run/caisson'), undefined);
  assert.equal(diskUnder(port(), '/run/disk/x'), 'ext4');
  assert.equal(diskUnder(port(), '/run/disk/again/x'), undefined);
  assert.equal(diskUnder(port(), '/runaway'), 'ext4');
});

test('told of where there are secrets alone', () => {
  const told: string[] = [];
  const warn = (line: string): void => {
    told.push(line);
  };
  const file = { path: '/s/hosts', content: '' };
  secretsOnDisk(port(254 * 256), '/s', [file], warn);
  assert.deepEqual(told, []);
  secretsOnDisk(port(23), '/s', [{ ...file, secret: true }], warn);
  assert.deepEqual(told, []);
  secretsOnDisk(port(254 * 256), '/s', [{ ...file, secret: true }], warn);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /\/s is on a disk \(ext4\)/);
});
