// Printing tables for the flags of calls on files and descriptors.
import { type Arch, openFlags } from './abi/index.ts';
import * as O from './constants/open.ts';
import { enumTable, type FlagTable, type FlagValues, flagTable, ruleTable } from './flag-table.ts';

/** The first argument of the *at() calls when it is not a descriptor. */
export const DIRFD = enumTable('dirfd', () => ({ AT_FDCWD: O.AT_FDCWD }));

/** Flags of open(2) with the values of `arch`. */
export function openFlagTable(arch: Arch): FlagTable {
  return flagTable('open', () => openValues(arch), {
    field: { mask: O.O_ACCMODE, names: ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'] },
  });
}

// Field by field: taking the constants apart at once would make a namespace object of them at import (0.15 ms).
function openValues(arch: Arch): FlagValues {
  const { O_DIRECT, O_LARGEFILE, O_NOFOLLOW, O_TMPFILE, O_DIRECTORY } = openFlags(arch);
  return {
    O_CREAT: O.O_CREAT,
    O_EXCL: O.O_EXCL,
    O_NOCTTY: O.O_NOCTTY,
    O_TRUNC: O.O_TRUNC,
    O_APPEND: O.O_APPEND,
    O_NONBLOCK: O.O_NONBLOCK,
    O_SYNC: O.O_SYNC,
    O_DSYNC: O.O_DSYNC,
    O_DIRECT,
    O_LARGEFILE,
    O_NOFOLLOW,
    O_NOATIME: O.O_NOATIME,
    O_CLOEXEC: O.O_CLOEXEC,
    O_PATH: O.O_PATH,
    O_TMPFILE,
    O_DIRECTORY,
  };
}

/** Flags of open(2) with the values of x86-64; openFlagTable has those of arm64. */
export const OPEN_FLAGS = openFlagTable('x86_64');

/**
 * The open flags `flags`, written with x86-64's values, as `arch` has them: a plan says `O_DIRECTORY` once, and the
 * encoder knows for which processor.
 */
export function translateOpenFlags(flags: number, arch: Arch): number {
  const from = openFlags('x86_64');
  const to = openFlags(arch);
  let out = flags;
  for (const name of ['O_DIRECTORY', 'O_NOFOLLOW', 'O_DIRECT', 'O_LARGEFILE'] as const) out &= ~from[name];
  for (const name of ['O_DIRECTORY', 'O_NOFOLLOW', 'O_DIRECT', 'O_LARGEFILE'] as const) {
    if ((flags & from[name]) !== 0) out |= to[name];
  }
  return out;
}

/** Flags of dup3(2), pipe2(2), eventfd(2) and the like: open flags without an access mode. */
export const FD_FLAGS = flagTable('fd', () => ({ O_NONBLOCK: O.O_NONBLOCK, O_CLOEXEC: O.O_CLOEXEC }));

export const RESOLVE_FLAGS = flagTable('resolve', () => ({
  RESOLVE_NO_XDEV: O.RESOLVE_NO_XDEV,
  RESOLVE_NO_MAGICLINKS: O.RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS: O.RESOLVE_NO_SYMLINKS,
  RESOLVE_BENEATH: O.RESOLVE_BENEATH,
  RESOLVE_IN_ROOT: O.RESOLVE_IN_ROOT,
  RESOLVE_CACHED: O.RESOLVE_CACHED,
}));

const atValues = (): FlagValues => ({
  AT_SYMLINK_NOFOLLOW: O.AT_SYMLINK_NOFOLLOW,
  AT_REMOVEDIR: O.AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW: O.AT_SYMLINK_FOLLOW,
  AT_NO_AUTOMOUNT: O.AT_NO_AUTOMOUNT,
  AT_EMPTY_PATH: O.AT_EMPTY_PATH,
  AT_RECURSIVE: O.AT_RECURSIVE,
});

/** Flags of unlinkat(2), fchownat(2), newfstatat(2), linkat(2), execveat(2), mount_setattr(2). */
export const AT_FLAGS = flagTable('at', atValues);

/** Flags of statx(2); strace always prints how it synchronises. */
export const STATX_FLAGS = flagTable('statx', atValues, {
  field: {
    mask: O.AT_STATX_SYNC_TYPE,
    names: {
      [O.AT_STATX_SYNC_AS_STAT]: 'AT_STATX_SYNC_AS_STAT',
      [O.AT_STATX_FORCE_SYNC]: 'AT_STATX_FORCE_SYNC',
      [O.AT_STATX_DONT_SYNC]: 'AT_STATX_DONT_SYNC',
    },
  },
});

/** The mask of statx(2). */
export const STATX_MASK = flagTable('statx mask', () => ({
  STATX_ALL: O.STATX_BASIC_STATS | O.STATX_BTIME,
  STATX_BASIC_STATS: O.STATX_BASIC_STATS,
  STATX_TYPE: O.STATX_TYPE,
  STATX_MODE: O.STATX_MODE,
  STATX_NLINK: O.STATX_NLINK,
  STATX_UID: O.STATX_UID,
  STATX_GID: O.STATX_GID,
  STATX_ATIME: O.STATX_ATIME,
  STATX_MTIME: O.STATX_MTIME,
  STATX_CTIME: O.STATX_CTIME,
  STATX_INO: O.STATX_INO,
  STATX_SIZE: O.STATX_SIZE,
  STATX_BLOCKS: O.STATX_BLOCKS,
  STATX_BTIME: O.STATX_BTIME,
  STATX_MNT_ID: O.STATX_MNT_ID,
}));

/** Flags of faccessat2(2), where 0x200 is AT_EACCESS. */
export const ACCESS_FLAGS = flagTable('faccessat2', () => ({
  AT_SYMLINK_NOFOLLOW: O.AT_SYMLINK_NOFOLLOW,
  AT_EACCESS: O.AT_EACCESS,
  AT_EMPTY_PATH: O.AT_EMPTY_PATH,
}));

/** A file mode with its type: `S_IFCHR|0666`; octal with at least three digits when it has no type. */
export const MODE = ruleTable('mode', formatMode);

const FILE_TYPES: FlagValues = {
  S_IFREG: O.S_IFREG,
  S_IFSOCK: O.S_IFSOCK,
  S_IFIFO: O.S_IFIFO,
  S_IFLNK: O.S_IFLNK,
  S_IFDIR: O.S_IFDIR,
  S_IFBLK: O.S_IFBLK,
  S_IFCHR: O.S_IFCHR,
};

function formatMode(mode: number): string {
  const type = Object.keys(FILE_TYPES).find((name) => FILE_TYPES[name] === (mode & O.S_IFMT));
  if (type === undefined) return octal(mode);
  const words = [type];
  if ((mode & O.S_ISUID) !== 0) words.push('S_ISUID');
  if ((mode & O.S_ISGID) !== 0) words.push('S_ISGID');
  if ((mode & O.S_ISVTX) !== 0) words.push('S_ISVTX');
  words.push(octal(mode & 0o777));
  return words.join('|');
}

function octal(mode: number): string {
  const digits = mode === 0 ? '0' : `0${mode.toString(8)}`;
  return digits.padStart(3, '0');
}

/** Permissions without a file type, as strace prints them: `01777`, `0644`, `000`. */
export const PERMISSIONS = ruleTable('permissions', octal);

export const CLOSE_RANGE_FLAGS = flagTable('close_range', () => ({
  CLOSE_RANGE_UNSHARE: O.CLOSE_RANGE_UNSHARE,
  CLOSE_RANGE_CLOEXEC: O.CLOSE_RANGE_CLOEXEC,
}));

export const FCNTL_COMMANDS = enumTable('fcntl', () => ({
  F_DUPFD: O.F_DUPFD,
  F_GETFD: O.F_GETFD,
  F_SETFD: O.F_SETFD,
  F_GETFL: O.F_GETFL,
  F_SETFL: O.F_SETFL,
  F_SETLK: O.F_SETLK,
  F_SETLKW: O.F_SETLKW,
  F_OFD_GETLK: O.F_OFD_GETLK,
  F_OFD_SETLK: O.F_OFD_SETLK,
  F_OFD_SETLKW: O.F_OFD_SETLKW,
  F_DUPFD_CLOEXEC: O.F_DUPFD_CLOEXEC,
  F_SETPIPE_SZ: O.F_SETPIPE_SZ,
  F_GETPIPE_SZ: O.F_GETPIPE_SZ,
  F_ADD_SEALS: O.F_ADD_SEALS,
  F_GET_SEALS: O.F_GET_SEALS,
}));

/** The argument of F_SETFD. */
export const FD_STATE = flagTable('F_SETFD', () => ({ FD_CLOEXEC: O.FD_CLOEXEC }));

/** The argument of F_ADD_SEALS. */
export const SEALS = flagTable('F_ADD_SEALS', () => ({
  F_SEAL_SEAL: O.F_SEAL_SEAL,
  F_SEAL_SHRINK: O.F_SEAL_SHRINK,
  F_SEAL_GROW: O.F_SEAL_GROW,
  F_SEAL_WRITE: O.F_SEAL_WRITE,
  F_SEAL_FUTURE_WRITE: O.F_SEAL_FUTURE_WRITE,
  F_SEAL_EXEC: O.F_SEAL_EXEC,
}));

export const MEMFD_FLAGS = flagTable('memfd_create', () => ({
  MFD_CLOEXEC: O.MFD_CLOEXEC,
  MFD_ALLOW_SEALING: O.MFD_ALLOW_SEALING,
  MFD_HUGETLB: O.MFD_HUGETLB,
  MFD_NOEXEC_SEAL: O.MFD_NOEXEC_SEAL,
  MFD_EXEC: O.MFD_EXEC,
}));

export const RENAME_FLAGS = flagTable('renameat2', () => ({
  RENAME_NOREPLACE: O.RENAME_NOREPLACE,
  RENAME_EXCHANGE: O.RENAME_EXCHANGE,
  RENAME_WHITEOUT: O.RENAME_WHITEOUT,
}));

export const SEEK = enumTable('lseek', () => ({
  SEEK_SET: O.SEEK_SET,
  SEEK_CUR: O.SEEK_CUR,
  SEEK_END: O.SEEK_END,
  SEEK_DATA: O.SEEK_DATA,
  SEEK_HOLE: O.SEEK_HOLE,
}));

export const LOCK_OPERATIONS = flagTable('flock', () => ({
  LOCK_SH: O.LOCK_SH,
  LOCK_EX: O.LOCK_EX,
  LOCK_NB: O.LOCK_NB,
  LOCK_UN: O.LOCK_UN,
}));
