// Who `--user` means (T15), and hostile passwd files (T35).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATABASE_LIMIT, findPasswd } from '../linux/passwd.ts';
import { CaissonError } from '../spec/error.ts';
import { resolveGroup, resolveUser } from './users.ts';

const databases = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n1000:x:0:0::/evil:/bin/sh\n',
  group: 'root:x:0:\nana:x:1001:\nwheel:x:10:root,ana\nvideo:x:44:ana\n1001:x:0:\n',
};

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CaissonError);
    return error.message;
  }
  return 'no error';
}

test('a user is resolved by name or by number, and digits are never a name', () => {
  const cases: readonly (readonly [string, number, number, readonly number[], string])[] = [
    ['', 0, 0, [10], '/root'],
    ['root', 0, 0, [10], '/root'],
    ['0', 0, 0, [10], '/root'],
    ['ana', 1000, 1001, [10, 44], '/home/ana'],
    ['1000', 1000, 1001, [10, 44], '/home/ana'],
    ['ana:video', 1000, 44, [], '/home/ana'],
    ['ana:44', 1000, 44, [], '/home/ana'],
    ['ana:1001', 1000, 1001, [], '/home/ana'],
    ['1', 1, 0, [], '/'],
    ['1:1', 1, 1, [], '/'],
    ['2147483648', 2147483648, 0, [], '/'],
    ['4294967294', 4294967294, 0, [], '/'],
    ['0000000000001', 1, 0, [], '/'],
    [':44', 0, 44, [], '/root'],
  ];
  for (const [spec, uid, gid, groups, home] of cases) {
    const user = resolveUser(spec, databases);
    assert.deepEqual([user.uid, user.gid, user.groups, user.home], [uid, gid, groups, home], spec);
  }
});

test('what is no user is refused, never root', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['4294967295', 'user id 4294967295 is out of range: 0 to 4294967294'],
    ['4294967296', 'user id 4294967296 is out of range: 0 to 4294967294'],
    ['18446744073709551616', 'user id 18446744073709551616 is out of range: 0 to 4294967294'],
    ['-1', 'unable to find user -1: no matching entries in passwd file'],
    ['0x0', 'unable to find user 0x0: no matching entries in passwd file'],
    [' 1', 'unable to find user  1: no matching entries in passwd file'],
    ['\xd9\xa1', 'unable to find user \xd9\xa1: no matching entries in passwd file'],
    ['bob', 'unable to find user bob: no matching entries in passwd file'],
    ['ana:nobody', 'unable to find group nobody: no matching entries in group file'],
    ['ana:4294967295', 'group id 4294967295 is out of range: 0 to 4294967294'],
  ];
  for (const [spec, message] of cases)
    assert.equal(
      messageOf(() => resolveUser(spec, databases)),
      message,
      spec,
    );
  assert.equal(
    messageOf(() => resolveUser('ana', undefined)),
    'unable to find user ana: the root has no passwd file',
  );
});

test('lines that are no entries are skipped', () => {
  const passwd = [
    '# ana:x:5:5::/:/bin/sh',
    'ana',
    'ana:x:x:5::/:/bin/sh',
    'ana:x:-1:5::/:/bin/sh',
    'ana:x:4294967295:5::/:/bin/sh',
    ':x:7:7::/:/bin/sh',
    'ana:x:8:9::relative:/bin/sh',
    '',
  ].join('\n');
  const user = resolveUser('ana', { passwd, group: 'ana\nx:y:z:ana\nstaff:x:50:ana,,\n' });
  assert.deepEqual(user, { uid: 8, gid: 9, groups: [50], home: '/', name: 'ana' });
});

test('a huge file is read up to the limit, and a cut line is no entry', () => {
  const filler = 'x:x:1:1::/:/bin/sh\n'.repeat(Math.ceil(DATABASE_LIMIT / 19));
  assert.equal(
    findPasswd(`${filler}late:x:0:0::/:\n`, (entry) => entry.name === 'late'),
    undefined,
  );
  const long = `${'a'.repeat(70_000)}:x:0:0::/:\nana:x:5:5::/:\n`;
  assert.equal(findPasswd(long, () => true)?.name, 'ana');
  const cut = `${'#\n'.repeat(DATABASE_LIMIT / 2 - 5)}ana:x:0:0::/:\n`;
  assert.equal(
    findPasswd(cut, () => true),
    undefined,
  );
});

test('a group is a name or a number', () => {
  assert.equal(resolveGroup('video', databases), 44);
  assert.equal(resolveGroup('1001', databases), 1001);
});
