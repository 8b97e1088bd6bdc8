// File system magic numbers of statfs(2), inode flags and limits of paths.

// statfs(2), <linux/magic.h>; PID_FS_MAGIC since 6.9
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SYSFS_MAGIC = 0x62656572;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const TMPFS_MAGIC = 0x1021994;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const EXT4_SUPER_MAGIC = 0xef53;
export const XFS_SUPER_MAGIC = 0x58465342;
export const BTRFS_SUPER_MAGIC = 0x9123683e;
export const NFS_SUPER_MAGIC = 0x6969;
export const RAMFS_MAGIC = 0x858458f6;
export const SQUASHFS_MAGIC = 0x73717368;
export const HUGETLBFS_MAGIC = 0x958458f6;
export const BPF_FS_MAGIC = 0xcafe4a11;
export const NSFS_MAGIC = 0x6e736673;
export const SECURITYFS_MAGIC = 0x73636673;
export const DEBUGFS_MAGIC = 0x64626720;
export const TRACEFS_MAGIC = 0x74726163;
export const SELINUX_MAGIC = 0xf97cff8c;
export const PSTOREFS_MAGIC = 0x6165676c;
export const EFIVARFS_MAGIC = 0xde5e81e4;
export const BINFMTFS_MAGIC = 0x42494e4d;
export const SOCKFS_MAGIC = 0x534f434b;
export const PIPEFS_MAGIC = 0x50495045;
export const ANON_INODE_FS_MAGIC = 0x9041934;
export const V9FS_MAGIC = 0x1021997;
export const HOSTFS_SUPER_MAGIC = 0xc0ffee;
export const F2FS_SUPER_MAGIC = 0xf2f52010;
export const AUTOFS_SUPER_MAGIC = 0x187;
export const PID_FS_MAGIC = 0x50494446;

// statfs(2); in the kernel's own sources only (ipc/mqueue.c, fs/fuse/inode.c)
export const MQUEUE_MAGIC = 0x19800202;
export const FUSE_SUPER_MAGIC = 0x65735546;

// statfs(2) f_flags, include/linux/statfs.h (not exported)
export const ST_RDONLY = 0x1;
export const ST_NOSUID = 0x2;
export const ST_NODEV = 0x4;
export const ST_NOEXEC = 0x8;
export const ST_SYNCHRONOUS = 0x10;
export const ST_MANDLOCK = 0x40;
export const ST_NOATIME = 0x400;
export const ST_NODIRATIME = 0x800;
export const ST_RELATIME = 0x1000;
export const ST_NOSYMFOLLOW = 0x2000;

// path_resolution(7), <linux/limits.h>
export const PATH_MAX = 4096;
export const NAME_MAX = 255;
export const XATTR_NAME_MAX = 255;
export const XATTR_SIZE_MAX = 65536;

// ioctl_ns(2), <linux/nsfs.h>
export const NS_GET_USERNS = 0xb701;
export const NS_GET_PARENT = 0xb702;
export const NS_GET_NSTYPE = 0xb703;
export const NS_GET_OWNER_UID = 0xb704;

// ioctl_iflags(2), ioctl_ficlone(2), <linux/fs.h>
export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;
export const FICLONE = 0x40049409;
