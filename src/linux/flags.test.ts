// Tests that flags print as strace 6.1 printed the same values on x86-64.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexNumber } from './flag-table.ts';
import * as F from './flags.ts';

test('open flags', () => {
  assert.equal(F.formatFlags(0, F.OPEN_FLAGS), 'O_RDONLY');
  assert.equal(
    F.formatFlags(0o12204000 | 0o400000, F.OPEN_FLAGS),
    'O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC|O_PATH|O_DIRECTORY',
  );
  assert.equal(F.formatFlags(0o20200002, F.OPEN_FLAGS), 'O_RDWR|O_TMPFILE');
  assert.equal(F.formatFlags(0o4010001, F.OPEN_FLAGS), 'O_WRONLY|O_SYNC');
  assert.equal(F.formatFlags(3, F.OPEN_FLAGS), 'O_ACCMODE');
  assert.equal(F.formatFlags(0o40000, F.openFlagTable('aarch64')), 'O_RDONLY|O_DIRECTORY');
});

test('open flags are translated between architectures', () => {
  const all = 0o200000 | 0o400000 | 0o40000 | 0o100000 | 0o2000000;
  assert.equal(F.translateOpenFlags(0o200000 | 0o2000000, 'aarch64'), 0o40000 | 0o2000000);
  assert.equal(F.translateOpenFlags(0o400000, 'aarch64'), 0o100000);
  assert.equal(F.translateOpenFlags(0o40000, 'aarch64'), 0o200000);
  assert.equal(F.translateOpenFlags(0o20200002, 'aarch64'), 0o20040002);
  assert.equal(F.translateOpenFlags(all, 'aarch64'), all);
  assert.equal(F.translateOpenFlags(all, 'x86_64'), all);
});

test('clone3 flags, above 32 bits too', () => {
  const everything =
    'CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_PIDFD|CLONE_PTRACE|CLONE_VFORK|CLONE_PARENT|CLONE_THREAD' +
    '|CLONE_NEWNS|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID|CLONE_UNTRACED' +
    '|CLONE_CHILD_SETTID|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWNET|CLONE_IO' +
    '|CLONE_NEWTIME|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP|0x400000';
  const value = (0x3ffffffffn & ~0xffn) | 0x80n;
  assert.equal(F.formatFlags(value, F.CLONE_FLAGS), everything);
  assert.equal(F.formatFlags(Number(value), F.CLONE_FLAGS), everything);
  assert.equal(F.formatFlags(2 ** 33, F.CLONE_FLAGS), 'CLONE_INTO_CGROUP');
  assert.equal(F.formatFlags(0x20000080, F.NAMESPACE_FLAGS), 'CLONE_NEWTIME|CLONE_NEWPID');
});

test('mount_setattr, all bits of 64', () => {
  assert.equal(
    F.formatFlags(2n ** 64n - 1n, F.MOUNT_ATTR_FLAGS),
    'MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV|MOUNT_ATTR_NOEXEC|MOUNT_ATTR_NOATIME' +
      '|MOUNT_ATTR_STRICTATIME|MOUNT_ATTR_NODIRATIME|MOUNT_ATTR_IDMAP|MOUNT_ATTR_NOSYMFOLLOW|0xffffffffffcfff40',
  );
  assert.equal(F.formatFlags(0x70, F.MOUNT_ATTR_FLAGS), 'MOUNT_ATTR_NOATIME|MOUNT_ATTR_STRICTATIME|0x40');
  assert.equal(F.formatFlags(1 << 20, F.PROPAGATION), 'MS_SHARED');
  assert.equal(F.formatFlags(0x9100, F.AT_FLAGS), 'AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH|AT_RECURSIVE');
});

test('mount API flags', () => {
  assert.equal(
    F.formatFlags(0x89001, F.OPEN_TREE_FLAGS),
    'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE',
  );
  assert.equal(F.formatFlags(0x44, F.MOVE_MOUNT_FLAGS), 'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH');
  assert.equal(F.formatFlags(-1, F.FSOPEN_FLAGS), 'FSOPEN_CLOEXEC|0xfffffffe');
  assert.equal(F.formatFlags(6, F.FSCONFIG_COMMANDS), 'FSCONFIG_CMD_CREATE');
  assert.equal(F.formatFlags(0, F.FSCONFIG_COMMANDS), 'FSCONFIG_SET_FLAG');
  assert.equal(F.formatFlags(0x15, F.RESOLVE_FLAGS), 'RESOLVE_NO_XDEV|RESOLVE_NO_SYMLINKS|RESOLVE_IN_ROOT');
  assert.equal(F.formatFlags(0, F.RESOLVE_FLAGS), '0');
  assert.equal(F.formatFlags(0x44000, F.MOUNT_FLAGS), 'MS_REC|MS_PRIVATE');
  assert.equal(F.formatFlags(6, F.MOUNT_FLAGS), 'MS_NOSUID|MS_NODEV');
  assert.equal(F.formatFlags(2, F.UMOUNT_FLAGS), 'MNT_DETACH');
});

test('modes', () => {
  assert.equal(F.formatFlags(0o20666, F.MODE), 'S_IFCHR|0666');
  assert.equal(F.formatFlags(0o104755, F.MODE), 'S_IFREG|S_ISUID|0755');
  assert.equal(F.formatFlags(0o67777, F.MODE), 'S_IFBLK|S_ISUID|S_ISGID|S_ISVTX|0777');
  assert.equal(F.formatFlags(0o644, F.MODE), '0644');
  assert.equal(F.formatFlags(0, F.PERMISSIONS), '000');
  assert.equal(F.formatFlags(0o5, F.PERMISSIONS), '005');
  assert.equal(F.formatFlags(0o1777, F.PERMISSIONS), '01777');
});

test('statx', () => {
  assert.equal(F.formatFlags(0x100, F.STATX_FLAGS), 'AT_STATX_SYNC_AS_STAT|AT_SYMLINK_NOFOLLOW');
  assert.equal(F.formatFlags(0x17ff, F.STATX_MASK), 'STATX_BASIC_STATS|STATX_MNT_ID');
  assert.equal(F.formatFlags(0x1003, F.STATX_MASK), 'STATX_TYPE|STATX_MODE|STATX_MNT_ID');
});

test('enumerated arguments and values with a rule', () => {
  assert.equal(F.formatFlags(-100, F.DIRFD), 'AT_FDCWD');
  assert.equal(F.formatFlags(17, F.SIGNALS), 'SIGCHLD');
  assert.equal(F.formatFlags(0, F.SIGNALS), '0');
  assert.equal(F.formatFlags(24, F.PRCTL_OPERATIONS), 'PR_CAPBSET_DROP');
  assert.equal(F.formatFlags(21, F.CAPABILITY), 'CAP_SYS_ADMIN');
  assert.equal(F.formatFlags(0x5441, F.IOCTL_COMMANDS), 'TIOCGPTPEER');
  assert.equal(F.formatFlags((2 << 13) | 4, F.IOPRIO), 'IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)');
  assert.equal(F.formatFlags(0x40008, F.PERSONALITY), 'PER_LINUX32|ADDR_NO_RANDOMIZE');
  assert.equal(F.formatFlags(0, F.PERSONALITY), 'PER_LINUX');
  assert.equal(F.formatFlags(0x8002, F.MPOL), 'MPOL_BIND|MPOL_F_STATIC_NODES');
  assert.equal(F.formatFlags(0o2000003, F.SOCKET_TYPES), 'SOCK_RAW|SOCK_CLOEXEC');
  assert.equal(F.formatFlags(4, F.WAIT_FLAGS), 'WEXITED');
  assert.equal(F.formatFlags(0, { name: 'pointer', values: () => ({}), zero: 'NULL' }), 'NULL');
});

test('hexadecimal numbers are exact up to 64 bits, in every engine', () => {
  assert.equal(hexNumber(0xffffffffffffffffn), '0xffffffffffffffff');
  assert.equal(hexNumber(1n << 63n), '0x8000000000000000');
  assert.equal(hexNumber(-1n), '0xffffffffffffffff');
  assert.equal(hexNumber(-1), '0xffffffffffffffff');
  assert.equal(hexNumber(0x1_0000_0001), '0x100000001');
  assert.equal(hexNumber(31), '0x1f');
});
