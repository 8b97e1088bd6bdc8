// Tests of each mount option by its own: what the specification's table says of it (config.md, Linux mount options).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MountOptions, parseMountOptions } from './mount-options.ts';

/** Numbers of <linux/mount.h>, written out. [option, an option before it, what must be the outcome]. */
const OPTIONS: readonly (readonly [string, string | undefined, Partial<MountOptions>])[] = [
  ['async', 'sync', { flagsSet: 0, flagsClear: 16, superFlags: [] }],
  ['atime', 'noatime', { attrSet: 0, attrClear: 0x70 }],
  ['bind', undefined, { bind: true, recursive: false }],
  ['defaults', undefined, { attrSet: 0, attrClear: 0, flagsSet: 0, flagsClear: 0 }],
  ['dev', 'nodev', { attrSet: 0, attrClear: 4 }],
  ['diratime', 'nodiratime', { attrSet: 0, attrClear: 0x80 }],
  ['dirsync', undefined, { flagsSet: 128, superFlags: ['dirsync'] }],
  ['exec', 'noexec', { attrSet: 0, attrClear: 8 }],
  ['iversion', undefined, { flagsSet: 1 << 23 }],
  ['lazytime', undefined, { flagsSet: 1 << 25, superFlags: ['lazytime'] }],
  ['loud', 'silent', { flagsSet: 0, flagsClear: 1 << 15 }],
  ['noatime', undefined, { attrSet: 0x10, attrClear: 0x70 }],
  ['nodev', undefined, { attrSet: 4 }],
  ['nodiratime', undefined, { attrSet: 0x80 }],
  ['noexec', undefined, { attrSet: 8 }],
  ['noiversion', 'iversion', { flagsSet: 0, flagsClear: 1 << 23 }],
  ['nolazytime', 'lazytime', { flagsSet: 0, flagsClear: 1 << 25, superFlags: [] }],
  ['norelatime', 'relatime', { flagsSet: 0, flagsClear: (1 << 21) | (1 << 10) | (1 << 24) }],
  ['nostrictatime', 'strictatime', { attrSet: 0, attrClear: 0x70 }],
  ['nosuid', undefined, { attrSet: 2 }],
  ['nosymfollow', undefined, { attrSet: 0x200000 }],
  ['private', undefined, { propagation: [1 << 18] }],
  ['ratime', 'rnoatime', { recursiveAttrSet: 0, recursiveAttrClear: 0x70 }],
  ['rbind', undefined, { bind: true, recursive: true }],
  ['rdev', undefined, { recursiveAttrClear: 4 }],
  ['rdiratime', undefined, { recursiveAttrClear: 0x80 }],
  ['relatime', 'noatime', { attrSet: 0, attrClear: 0x70 }],
  ['remount', undefined, { remount: true }],
  ['rexec', undefined, { recursiveAttrClear: 8 }],
  ['rnoatime', undefined, { recursiveAttrSet: 0x10, recursiveAttrClear: 0x70 }],
  ['rnodiratime', undefined, { recursiveAttrSet: 0x80 }],
  ['rnoexec', undefined, { recursiveAttrSet: 8 }],
  ['rnorelatime', undefined, { recursiveAttrSet: 0, recursiveAttrClear: 0x70 }],
  ['rnostrictatime', 'rstrictatime', { recursiveAttrSet: 0, recursiveAttrClear: 0x70 }],
  ['rnosuid', undefined, { recursiveAttrSet: 2 }],
  ['rnosymfollow', undefined, { recursiveAttrSet: 0x200000 }],
  ['ro', undefined, { attrSet: 1 }],
  ['rprivate', undefined, { propagation: [(1 << 18) | (1 << 14)] }],
  ['rrelatime', 'rnoatime', { recursiveAttrSet: 0, recursiveAttrClear: 0x70 }],
  ['rro', undefined, { recursiveAttrSet: 1 }],
  ['rrw', undefined, { recursiveAttrClear: 1 }],
  ['rshared', undefined, { propagation: [(1 << 20) | (1 << 14)] }],
  ['rslave', undefined, { propagation: [(1 << 19) | (1 << 14)] }],
  ['rstrictatime', undefined, { recursiveAttrSet: 0x20, recursiveAttrClear: 0x70 }],
  ['rsuid', undefined, { recursiveAttrClear: 2 }],
  ['rsymfollow', undefined, { recursiveAttrClear: 0x200000 }],
  ['runbindable', undefined, { propagation: [(1 << 17) | (1 << 14)] }],
  ['rw', 'ro', { attrSet: 0, attrClear: 1 }],
  ['shared', undefined, { propagation: [1 << 20] }],
  ['silent', undefined, { flagsSet: 1 << 15 }],
  ['slave', undefined, { propagation: [1 << 19] }],
  ['strictatime', undefined, { attrSet: 0x20, attrClear: 0x70 }],
  ['suid', 'nosuid', { attrSet: 0, attrClear: 2 }],
  ['symfollow', 'nosymfollow', { attrSet: 0, attrClear: 0x200000 }],
  ['sync', undefined, { flagsSet: 16, superFlags: ['sync'] }],
  ['unbindable', undefined, { propagation: [1 << 17] }],
  ['idmap', undefined, { idmap: 'idmap' }],
  ['ridmap', undefined, { idmap: 'ridmap' }],
];

for (const [name, before, outcome] of OPTIONS) {
  test(`mount option ${name}`, () => {
    const read = parseMountOptions(before === undefined ? [name] : [before, name]);
    assert.deepEqual(read.data, []);
    for (const [field, value] of Object.entries(outcome))
      assert.deepEqual(read[field as keyof MountOptions], value, field);
  });
}

test('mount option that nobody knows is left to the file system', () => {
  assert.deepEqual(parseMountOptions(['size=1k', 'ro', 'new']).data, ['size=1k', 'new']);
});
