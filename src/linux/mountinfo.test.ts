// Tests of mountinfo with lines that a kernel printed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo, unescapeOctal } from './mountinfo.ts';

test('a plain line, and one with every propagation field', () => {
  const [proc, bind] = parseMountinfo(
    '22 27 0:21 / /proc rw,relatime - proc proc rw\n' +
      '36 35 98:0 /mnt1 /mnt2 rw,noatime shared:7 master:1 propagate_from:3 - ext3 /dev/root rw,errors=continue\n',
  );
  assert.deepEqual(proc, {
    id: 22,
    parent: 27,
    major: 0,
    minor: 21,
    root: '/',
    mountPoint: '/proc',
    options: ['rw', 'relatime'],
    unbindable: false,
    fsType: 'proc',
    source: 'proc',
    superOptions: ['rw'],
  });
  assert.equal(bind?.root, '/mnt1');
  assert.equal(bind?.shared, 7);
  assert.equal(bind?.master, 1);
  assert.equal(bind?.propagateFrom, 3);
  assert.deepEqual(bind?.superOptions, ['rw', 'errors=continue']);
});

test('unbindable, an empty source, and no final newline', () => {
  const [entry] = parseMountinfo('40 22 0:35 / /a rw unbindable - tmpfs  rw,size=4k');
  assert.equal(entry?.unbindable, true);
  assert.equal(entry?.source, '');
  assert.deepEqual(entry?.superOptions, ['rw', 'size=4k']);
  assert.equal('shared' in (entry ?? {}), false);
});

test('spaces, newlines, backslashes and commas are escaped in octal', () => {
  const [entry] = parseMountinfo(
    '41 22 0:36 /x\\134040 /a\\040b\\012c\\011d\\134e - rw - overlay none rw,lowerdir=/l\\0541:/m\\040n\n'.replace(
      ' - rw',
      ' rw',
    ),
  );
  assert.equal(entry?.mountPoint, '/a b\nc\td\\e');
  assert.equal(entry?.root, '/x\\040');
  assert.deepEqual(entry?.superOptions, ['rw', 'lowerdir=/l,1:/m n']);
  assert.equal(unescapeOctal('\\377\\999\\4'), '\xff\\999\\4');
});

test('another format is refused', () => {
  assert.throws(() => parseMountinfo('proc /proc proc rw 0 0\n'), SyntaxError);
  assert.throws(() => parseMountinfo('22 27 0:21 / /proc rw,relatime\n'), SyntaxError);
});
