// An older kernel, Debian 12's 6.1: the image `host`, mounts and masks by the calls that it has, and what it lacks.

import { testInUml } from './checks.ts';

const MASKED = `
cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | wc -c
ls -A /sys/firmware | wc -l
touch /sys/firmware/x 2>/dev/null || echo refused
echo x 2>/dev/null >/proc/sys/kernel/hostname || echo refused
umount /sys/firmware 2>/dev/null || echo stays`;

/** A bundle in /tmp/bundle: the example of `oci spec`, changed by perl, whose program is the script $1. */
const BUNDLE = `
bundle() {
  rm -rf /tmp/bundle; mkdir -p /tmp/bundle; cd /tmp/bundle; $EXECUTABLE oci spec
  PROGRAM="$1" perl -0pe 's/"terminal": true/"terminal": false/; s!"sh"!"/bin/sh","-c","$ENV{PROGRAM}"!; s!"path": "rootfs"!"path": "/tmp/rootfs"!; '"$2" config.json >/tmp/changed
  cp /tmp/changed config.json; $EXECUTABLE oci run "older-$$"
}`;

const MASKS = `s!"/proc/acpi"!"/proc/keys", "/etc/group", "/home", "/no/such"!; s!"readonly": true!"readonly": false!`;

testInUml('Linux 6.1', { modules: ['overlay'] }, [
  {
    name: 'it is that kernel, and true ends well in the image host',
    script: `uname -r | cut -d. -f1-2; $EXECUTABLE run host true && echo ended`,
    output: /^6\.1\nended$/,
  },
  {
    name: 'the image host is this machine, and changes vanish',
    script: `host 'cat /etc/debian_version >/dev/null && echo here; echo x >/etc/made-inside; rm /etc/hostname; cat /etc/made-inside'; ls /etc/made-inside 2>/dev/null; ls /etc/hostname`,
    output: "here\nrm: cannot remove '/etc/hostname': Device or resource busy\nx\n/etc/hostname",
  },
  {
    name: '--upper keeps them',
    script: `mkdir /tmp/kept; host --upper /tmp/kept 'echo kept >/etc/made-inside'; host --upper /tmp/kept 'cat /etc/made-inside'; ls /tmp/kept`,
    output: 'kept\nmounts\nupper\nwork',
  },
  {
    name: 'masked and read-only paths of the default',
    script: `caisson '${MASKED}'`,
    output: '0\n0\nrefused\nrefused\nstays',
  },
  {
    name: 'masks of files and directories of the image, each a mount of its own',
    script: `${BUNDLE}
bundle 'wc -c </etc/group; ls /home | wc -l; wc -c </proc/keys; touch /home/x 2>/dev/null || echo refused; ls -d /no 2>/dev/null || echo absent' '${MASKS}'`,
    output: '0\n0\n0\nrefused\nabsent',
  },
  {
    name: 'binds: read-only, recursively read-only, of a file; a tmpfs with options, one that copies up',
    script: `
mkdir -p /tmp/source/below; mount -t tmpfs below /tmp/source/below; echo content >/tmp/source/file
caisson -v /tmp/source:/ro:ro -v /tmp/source/file:/one:ro --tmpfs /scratch:size=1m,mode=700 --tmpfs /etc:tmpcopyup '
cat /one; touch /ro/x 2>/dev/null || echo refused; touch /ro/below/x 2>/dev/null || echo refused
stat -c %a /scratch; grep -c . /etc/passwd; touch /etc/new && echo new'
umount /tmp/source/below`,
    output: 'content\nrefused\nrefused\n700\n2\nnew',
  },
  {
    name: 'a read-only root, another user, limits, sysctls, a hostname',
    script: `caisson --read-only --user 1000:1001 --ulimit nofile=50:60 --sysctl net.ipv4.ip_forward=1 --hostname older '
touch /x 2>/dev/null || echo refused; id -u; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; hostname; cat /sys/class/net/lo/operstate'`,
    output: 'refused\n1000\n50\n1\nolder\nunknown',
  },
  {
    name: 'a user namespace for root',
    script: `caisson --uidmap 0:100000:1000 --gidmap 0:100000:1000 'id -u; cat /proc/self/uid_map | tr -s " "; ls -ld /dev/null | cut -c1-10'`,
    output: '0\n 0 100000 1000\ncrw-rw-rw-',
  },
  {
    name: 'an ordinary user: a directory, and the image host taken apart',
    script: `
cp $EXECUTABLE /tmp/executable; cp -a $ROOT /tmp/own; chown -R 65532:65532 /tmp/own; mkdir /tmp/state; chown 65532 /tmp/state
user() { setpriv --reuid 65532 --regid 65532 --clear-groups env XDG_RUNTIME_DIR=/tmp/state HOME=/tmp/state /tmp/executable run --rm "$@"; }
user --rootfs /tmp/own /bin/sh -c 'id -u; touch /tmp/x && echo written; cat /proc/self/uid_map | tr -s " "'
user host sh -c 'id -u; test -x /usr/bin/perl && echo here; echo x >/etc/new && cat /etc/new'
find /tmp/state -type f`,
    output: '0\nwritten\n 0 65532 1\n0\nhere\nx',
  },
  {
    name: 'T18: the tree of cgroups is read-only, its root is the container’s own, v1 cannot be mounted',
    script: `caisson --cap-add SYS_ADMIN --security-opt seccomp=unconfined '
cat /proc/self/cgroup; grep -c " / /sys/fs/cgroup ro," /proc/self/mountinfo
mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused; echo max 2>/dev/null >/sys/fs/cgroup/pids.max || echo refused
mount -t cgroup -o memory none /tmp 2>/dev/null || echo refused
ls /sys/fs/cgroup/caisson 2>/dev/null || echo nothing above'`,
    output: '0::/\n1\nrefused\nrefused\nrefused\nnothing above',
  },
  {
    name: 'without a cgroup namespace the whole tree is seen, as with runc and crun, and not written',
    script: `caisson --cgroupns host 'cut -c1-12 /proc/self/cgroup; ls -d /sys/fs/cgroup/caisson; mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused'`,
    output: '0::/caisson/\n/sys/fs/cgroup/caisson\nrefused',
  },
  {
    name: 'what the kernel was built without is refused by name: time namespaces',
    script: `ls /proc/self/ns/time 2>/dev/null; caisson --time-ns new true`,
    output: /^caisson: this kernel has no time namespaces[\s\S]*--time-ns new/,
    status: 125,
  },
  {
    name: 'a seccomp filter, with and without no_new_privs',
    script: `for flag in '' --security-opt=no-new-privileges; do caisson $flag 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status | tr -s "\\n\\t" " "; unshare -m true 2>/dev/null || echo refused'; done`,
    output: /^(?:NoNewPrivs: [01] Seccomp: 2 refused\n?){2}$/,
  },
  {
    name: 'freeze and thaw by the file of the cgroup, and inspect and move by command',
    script: `
$EXECUTABLE run --rm --name frozen --memory 64m --rootfs $ROOT /bin/sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' &
run=$!
until $EXECUTABLE cgroup ls | grep -q frozen; do sleep 0.1; done
$EXECUTABLE cgroup ls | tr -s ' ' | grep -o '64 MiB'
$EXECUTABLE cgroup inspect frozen | grep -o 'one hierarchy'
sleep 50 & $EXECUTABLE cgroup move $! frozen | grep -o '^moved process'; cut -c1-12 /proc/$!/cgroup; kill -KILL $!
cd /sys/fs/cgroup/caisson/*/ && echo 1 >cgroup.freeze && grep frozen cgroup.events; echo 0 >cgroup.freeze; cd /
kill -TERM $run; wait $run; echo "code $?"`,
    output: '64 MiB\none hierarchy\nmoved process\n0::/caisson/\nfrozen 1\ncode 5',
  },
  {
    name: 'nothing is left: cgroups, mounts, records',
    script: `find /sys/fs/cgroup -mindepth 1 -type d; grep -c caisson /proc/mounts; ls -A /run/caisson`,
    output: '/sys/fs/cgroup/caisson\n0',
    status: 0,
  },
]);
