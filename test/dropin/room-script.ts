// The shell scripts that make a room: its cgroups, its namespaces, its root, and the server of its commands.

/**
 * Run in the test's own namespaces. Arguments: the cgroups to enter (one word), the inner script, then its arguments.
 * The room's end is this process's end: the first process of a PID namespace takes all others with it.
 */
export const ENTER_ROOM = `set -e
cgroups=$1 inner=$2; shift 2
for each in $cgroups; do echo $$ > "$each/cgroup.procs"; done
exec unshare --cgroup --mount --net --ipc --uts --pid --fork --kill-child --propagation private -- \\
  sh -c "$inner" sh "$@"
`;

/**
 * Run as process 1 of the room. Arguments: the peers' tree, the room's directory, the cgroup hierarchies (one word,
 * \`unified\` alone for the layout of version 2), the serving script.
 *
 * procfs and sysfs are new ones without anything mounted over them: the kernel lets a user namespace mount its own
 * only where the old one shows everything. Images and layers lie on the disk's file system, since overlayfs does
 * not take an overlay as its upper layer.
 */
export const FURNISH_ROOM = `set -e
tree=$1 dir=$2 hierarchies=$3 serve=$4
new=$dir/root
mkdir -p "$dir/upper" "$dir/work" "$new" "$dir/jobs" "$dir/data"
mount -t overlay -o "lowerdir=$tree,upperdir=$dir/upper,workdir=$dir/work" overlay "$new"
mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount --rbind /dev "$new/dev"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$new/dev/pts"
mount -t tmpfs -o mode=1777 shm "$new/dev/shm"
mount -t tmpfs -o mode=755 run "$new/run"
mknod -m 666 "$new/run/tun" c 10 200
mount --bind "$new/run/tun" "$new/dev/net/tun"
mount -t tmpfs -o mode=1777 tmp "$new/tmp"
mkdir -p "$new$dir"
mount --bind "$dir" "$new$dir"
for each in var/lib/docker var/lib/containerd var/lib/containers var/lib/caisson-dropin home; do
  mkdir -p "$dir/data/$each" "$new/$each"
  mount --bind "$dir/data/$each" "$new/$each"
done
if [ "$hierarchies" = unified ]; then
  mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755 cgroups "$new/sys/fs/cgroup"
  for each in $hierarchies; do
    mkdir "$new/sys/fs/cgroup/\${each#name=}"
    case $each in
      unified) mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup/unified" ;;
      *) mount -t cgroup -o "$each" cgroup "$new/sys/fs/cgroup/\${each#name=}" ;;
    esac
  done
fi
: > "$new/etc/resolv.conf"
echo '127.0.0.1 localhost' > "$new/etc/hosts"
echo 'dweller:x:1000:1000::/home/dweller:/bin/sh' >> "$new/etc/passwd"
echo 'dweller:x:1000:' >> "$new/etc/group"
echo 'dockremap:x:1001:1001::/nonexistent:/bin/false' >> "$new/etc/passwd"
echo 'dockremap:x:1001:' >> "$new/etc/group"
for each in subuid subgid; do printf 'dweller:300000:65536\\ndockremap:400000:65536\\n' > "$new/etc/$each"; done
mkdir -p "$new/home/dweller" "$new/run/user/1000"
chown 1000:1000 "$new/home/dweller" "$new/run/user/1000"
for each in runc crun; do
  rm -f "$new/usr/bin/$each" "$new/usr/sbin/$each"
  printf '#!/bin/sh\\necho "%s: not the runtime that was asked for" >&2\\nexit 97\\n' "$each" > "$new/usr/bin/$each"
  chmod 755 "$new/usr/bin/$each"
done
cd "$new"
pivot_root . .
umount -l .
cd /
hostname room
ip link set lo up
exec docker-init -- sh -c "$serve" sh "$dir/jobs"
`;

/**
 * The server of the room's commands: reads a job's number, runs the script of that number and says how it ended.
 * Jobs run beside each other. \`ended NUMBER STATUS\` comes on standard output.
 */
export const SERVE = `cd "$1"
echo ready
while read -r job; do
  { sh "./$job.sh" < "./$job.in" > "./$job.out" 2> "./$job.err"; echo "ended $job $?"; } &
done
`;
