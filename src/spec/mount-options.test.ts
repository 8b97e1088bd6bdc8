// Tests of mount option parsing: each table entry, contradictions, and the numbers that reach the kernel.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountOptionNames, parseMountOptions, propagationFlag } from './mount-options.ts';

// The numbers are those of <linux/mount.h>, written out so that a wrong constant shows.
test('mount options: attributes of this mount and, with r in front, of all below', () => {
  const bits = { ro: 1, nosuid: 2, nodev: 4, noexec: 8, nodiratime: 0x80, nosymfollow: 0x200000 };
  const opposites: Record<string, string> = {
    ro: 'rw',
    nosuid: 'suid',
    nodev: 'dev',
    noexec: 'exec',
    nodiratime: 'diratime',
    nosymfollow: 'symfollow',
  };
  for (const [name, bit] of Object.entries(bits)) {
    const opposite = opposites[name] as string;
    assert.equal(parseMountOptions([name]).attrSet, bit, name);
    assert.equal(parseMountOptions([name]).attrClear, 0, name);
    assert.equal(parseMountOptions([opposite]).attrClear, bit, opposite);
    assert.equal(parseMountOptions([opposite]).attrSet, 0, opposite);
    const recursive = parseMountOptions([`r${name}`]);
    assert.deepEqual(
      [recursive.recursiveAttrSet, recursive.recursiveAttrClear, recursive.attrSet],
      [bit, 0, 0],
    );
    assert.equal(parseMountOptions([`r${opposite}`]).recursiveAttrClear, bit, opposite);
    assert.equal(parseMountOptions([name, opposite]).attrSet, 0);
    assert.deepEqual(parseMountOptions([name, opposite]).undone, [[name, opposite]]);
    assert.deepEqual(parseMountOptions([name, `r${opposite}`]).undone, []);
  }
});

test('mount options: access times are one mode', () => {
  const cases: readonly (readonly [string, number, number])[] = [
    ['noatime', 0x10, 0x70],
    ['strictatime', 0x20, 0x70],
    ['relatime', 0, 0x70],
    ['atime', 0, 0x70],
    ['norelatime', 0, 0x70],
    ['nostrictatime', 0, 0x70],
    ['noatime,strictatime', 0x20, 0x70],
    ['noatime,atime', 0, 0x70],
    ['noatime,norelatime', 0x10, 0x70],
    ['strictatime,noatime', 0x10, 0x70],
    ['strictatime,nostrictatime', 0, 0x70],
    ['', 0, 0],
  ];
  for (const [options, set, clear] of cases) {
    const plain = parseMountOptions(options.split(','));
    assert.deepEqual([plain.attrSet, plain.attrClear], [set, clear], options);
    const recursive = parseMountOptions(
      options.split(',').map((option) => (option === '' ? '' : `r${option}`)),
    );
    assert.deepEqual(
      [recursive.recursiveAttrSet, recursive.recursiveAttrClear],
      [set, clear],
      `r ${options}`,
    );
  }
  assert.equal(parseMountOptions(['noatime', 'strictatime']).flagsSet, 1 << 24);
});

test('mount options: propagation in order, with MS_REC for the r forms', () => {
  assert.deepEqual(parseMountOptions(['rprivate', 'shared']).propagation, [(1 << 18) | (1 << 14), 1 << 20]);
  assert.deepEqual(parseMountOptions(['unbindable', 'rslave']).propagation, [1 << 17, (1 << 19) | (1 << 14)]);
  assert.equal(propagationFlag('runbindable'), (1 << 17) | (1 << 14));
  assert.equal(propagationFlag('rbind'), undefined);
});

test('mount options: bind, rbind, idmap, tmpcopyup, remount and data', () => {
  const rbind = parseMountOptions(['rbind', 'ro', 'ridmap']);
  assert.deepEqual([rbind.bind, rbind.recursive, rbind.idmap, rbind.attrSet], [true, true, 'ridmap', 1]);
  const bind = parseMountOptions(['bind', 'idmap']);
  assert.deepEqual([bind.bind, bind.recursive, bind.idmap], [true, false, 'idmap']);
  assert.equal(parseMountOptions(undefined, 'bind').bind, true);
  const tmpfs = parseMountOptions(
    ['nosuid', 'strictatime', 'mode=755', 'size=65536k', 'tmpcopyup', 'defaults'],
    'tmpfs',
  );
  assert.deepEqual([tmpfs.bind, tmpfs.tmpcopyup, tmpfs.data], [false, true, ['mode=755', 'size=65536k']]);
  assert.deepEqual([tmpfs.attrSet, tmpfs.attrClear, tmpfs.flagsSet], [0x22, 0x70, 2 | (1 << 24)]);
  assert.equal(parseMountOptions(['remount']).remount, true);
});

test('mount options: super block flags by fsconfig name and by MS_ flag', () => {
  const set = parseMountOptions(['sync', 'dirsync', 'lazytime', 'mand', 'iversion', 'silent']);
  assert.deepEqual(set.superFlags, ['sync', 'dirsync', 'lazytime', 'mand']);
  assert.equal(set.flagsSet, 16 | 128 | (1 << 25) | 64 | (1 << 23) | (1 << 15));
  const clear = parseMountOptions([
    'sync',
    'async',
    'lazytime',
    'nolazytime',
    'nomand',
    'noiversion',
    'loud',
  ]);
  assert.deepEqual([clear.superFlags, clear.flagsSet], [[], 0]);
  assert.equal(clear.flagsClear, 16 | (1 << 25) | 64 | (1 << 23) | (1 << 15));
});

test('mount options: every name of the specification is known, none reaches the file system', () => {
  const names =
    'async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec ' +
    'noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime ' +
    'relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate ' +
    'rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime ' +
    'suid symfollow sync tmpcopyup unbindable idmap ridmap rnodev';
  for (const name of names.split(' ')) {
    assert.ok(mountOptionNames().includes(name), name);
    assert.deepEqual(parseMountOptions([name]).data, [], name);
  }
  assert.deepEqual(mountOptionNames(), [...new Set(names.split(' '))].sort());
});

test('mount options: what mount(8) keeps to itself is no data of the file system', () => {
  const options = ['auto', 'noauto', 'nofail', 'nouser', '_netdev', 'x-systemd.automount', 'X-mount.mkdir'];
  assert.deepEqual(
    parseMountOptions([...options, 'size=1m', 'xattr']),
    parseMountOptions(['size=1m', 'xattr']),
  );
});
