// The file system calls that trees are unpacked and read with, each written as one record.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
  SEEK_SET,
  UTIME_OMIT,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { Timespec } from '../../plan/syscalls.ts';
import { type Allowance, BatchWriter, type Place } from './batch-writer.ts';

/** What statx(2) answers with, in bytes. */
export const STATX_SIZE = 256;

/** A writer of batches with one method for each call, in the order of their man pages. */
export class TreeCalls extends BatchWriter {
  /** The structure open_how of the last openat2, where it is the same again. */
  private how = { flags: -1, resolve: -1, at: -1 };

  override reset(): void {
    super.reset();
    this.how = { flags: -1, resolve: -1, at: -1 };
  }

  openat(dir: Place, name: Bytes, flags: number, mode: number, allowance?: Allowance): void {
    this.begin('openat', allowance);
    this.place(dir)
      .string(name)
      .number(flags | O_CLOEXEC)
      .number(mode);
  }

  /** RETRY, because RESOLVE_IN_ROOT answers EAGAIN when a rename races with it. */
  openat2(dir: Place, path: Bytes, flags: number, resolve: number, allowance: Allowance): void {
    if (this.how.flags !== flags || this.how.resolve !== resolve)
      this.how = { flags, resolve, at: this.structure(flags | O_CLOEXEC, 0, resolve) };
    this.begin('openat2', { ...allowance, retry: true });
    this.place(dir).string(path).textPointer(this.how.at).number(24);
  }

  /** A directory to make things in. */
  directory(dir: Place, path: Bytes, resolve: number, result: number, tolerate = 0): void {
    this.openat2(dir, path, O_PATH | this.open.O_DIRECTORY, resolve, { result, tolerate });
  }

  close(file: Place, allowance?: Allowance): void {
    this.begin('close', allowance);
    this.place(file);
  }

  dup3(from: Place, to: number, allowance?: Allowance): void {
    this.begin('dup3', allowance);
    this.place(from).number(to).number(O_CLOEXEC);
  }

  /** Content from `offset` of the batch's on; a short write of a regular file means that there is no room for more. */
  write(file: Place, offset: number, length: number, put: number): void {
    this.begin('write', { result: put });
    this.place(file).contentPointer(offset).number(length);
    this.check(put, length, ERRNO.ENOSPC);
  }

  read(file: Place, buffer: number, length: number, allowance?: Allowance): void {
    this.begin('read', allowance);
    this.place(file).outPointer(buffer).number(length);
  }

  lseek(file: Place, offset: number): void {
    this.begin('lseek');
    this.place(file).number(offset).number(SEEK_SET);
  }

  /** Where the next data or hole from `offset` on is (lseek(2)), or a plain seek. */
  seek(file: Place, offset: Place, whence: number, allowance?: Allowance): void {
    this.begin('lseek', allowance);
    this.place(file).place(offset).number(whence);
  }

  /** At most 2 GiB; a short one means that there is no room for more. */
  sendfile(to: Place, from: Place, length: number, put: number): void {
    this.begin('sendfile', { result: put });
    this.place(to).place(from).number(0).number(length);
    this.check(put, length, ERRNO.ENOSPC);
  }

  /** Goes on with a directory where getdents64 has told; a cookie is 64 bits. */
  seekDirectory(dir: Place, [low, high]: readonly [number, number]): void {
    this.begin('lseek');
    this.place(dir).wide(low, high).number(SEEK_SET);
  }

  ftruncate(file: Place, length: number): void {
    this.begin('ftruncate');
    this.place(file).number(length);
  }

  getdents64(dir: Place, buffer: number, length: number, allowance: Allowance): void {
    this.begin('getdents64', allowance);
    this.place(dir).outPointer(buffer).number(length);
  }

  mkdirat(dir: Place, name: Bytes, mode: number, allowance?: Allowance): void {
    this.begin('mkdirat', allowance);
    this.place(dir).string(name).number(mode);
  }

  mknodat(dir: Place, name: Bytes, mode: number, device: number): void {
    this.begin('mknodat');
    this.place(dir).string(name).number(mode).number(device);
  }

  symlinkat(target: Bytes, dir: Place, name: Bytes): void {
    this.begin('symlinkat');
    this.string(target).place(dir).string(name);
  }

  readlinkat(dir: Place, name: Bytes, buffer: number, length: number, allowance: Allowance): void {
    this.begin('readlinkat', allowance);
    this.place(dir).string(name).outPointer(buffer).number(length);
  }

  linkat(fromDir: Place, from: Bytes, dir: Place, name: Bytes): void {
    this.begin('linkat');
    this.place(fromDir).string(from).place(dir).string(name).number(0);
  }

  unlinkat(dir: Place, name: Bytes, kind: 'file' | 'directory', allowance?: Allowance): void {
    this.begin('unlinkat', allowance);
    this.place(dir)
      .string(name)
      .number(kind === 'file' ? 0 : AT_REMOVEDIR);
  }

  fchownat(dir: Place, name: Bytes, uid: number, gid: number, allowance?: Allowance): void {
    this.begin('fchownat', allowance);
    this.place(dir).string(name).number(uid).number(gid).number(AT_SYMLINK_NOFOLLOW);
  }

  fchown(file: Place, uid: number, gid: number, allowance?: Allowance): void {
    this.begin('fchown', allowance);
    this.place(file).number(uid).number(gid);
  }

  fchmod(file: Place, mode: number, allowance?: Allowance): void {
    this.begin('fchmod', allowance);
    this.place(file).number(mode);
  }

  /** Sets the time of the last modification; that of the last access is left. Of `name`, or of `file` itself. */
  utimensat(file: Place, name: Bytes | null, time: Timespec, allowance?: Allowance): void {
    const times = this.structure(0, UTIME_OMIT, time.seconds, time.nanoseconds);
    this.begin('utimensat', allowance);
    this.place(file);
    if (name === null) this.number(0);
    else this.string(name);
    this.textPointer(times).number(name === null ? 0 : AT_SYMLINK_NOFOLLOW);
  }

  fsetxattr(file: Place, name: Bytes, content: Bytes, allowance?: Allowance): void {
    this.begin('fsetxattr', allowance);
    this.place(file).string(name).counted(content).number(0);
  }

  fremovexattr(file: Place, name: Bytes, allowance?: Allowance): void {
    this.begin('fremovexattr', allowance);
    this.place(file).string(name);
  }

  flistxattr(file: Place, buffer: number, length: number, allowance: Allowance): void {
    this.begin('flistxattr', allowance);
    this.place(file).outPointer(buffer).number(length);
  }

  statx(dir: Place, name: Bytes, flags: number, mask: number, buffer: number, allowance?: Allowance): void {
    this.begin('statx', allowance);
    this.place(dir).string(name).number(flags).number(mask).outPointer(buffer);
  }

  fchdir(dir: Place, allowance?: Allowance): void {
    this.begin('fchdir', allowance);
    this.place(dir);
  }

  /** Names of the extended attributes of `name` in the current directory, which follows no link. */
  llistxattr(name: Bytes, buffer: number, length: number, allowance: Allowance): void {
    this.begin('llistxattr', allowance);
    this.string(name).outPointer(buffer).number(length);
  }

  lgetxattr(name: Bytes, attribute: Bytes, buffer: number, length: number, allowance: Allowance): void {
    this.begin('lgetxattr', allowance);
    this.string(name).string(attribute).outPointer(buffer).number(length);
  }

  /** Of `name` in the current directory, which follows no link. */
  lremovexattr(name: Bytes, attribute: Bytes, allowance: Allowance): void {
    this.begin('lremovexattr', allowance);
    this.string(name).string(attribute);
  }

  /** Of `name` in the current directory, which follows no link. */
  lsetxattr(name: Bytes, attribute: Bytes, content: Bytes, allowance?: Allowance): void {
    this.begin('lsetxattr', allowance);
    this.string(name).string(attribute).counted(content).number(0);
  }

  umask(mask: number): void {
    this.begin('umask');
    this.number(mask);
  }

  chroot(path: Bytes): void {
    this.begin('chroot');
    this.string(path);
  }

  fcntl(file: Place, command: number, argument: number, allowance?: Allowance): void {
    this.begin('fcntl', allowance);
    this.place(file).number(command).number(argument);
  }
}
