// An ordinary user in a cgroup of their own (v2 delegation): limits hold without root.

import { testInUml } from './checks.ts';

// As systemd does it for a session: the directory and these three files are the user's (cgroup-v2.rst, Delegation).
const DELEGATED = () => `
mkdir -p /sys/fs/cgroup/user/session
echo "+memory +pids +cpu" >/sys/fs/cgroup/user/cgroup.subtree_control
for each in user user/session; do
  chown 65532:65532 /sys/fs/cgroup/$each /sys/fs/cgroup/$each/cgroup.procs \\
    /sys/fs/cgroup/$each/cgroup.subtree_control /sys/fs/cgroup/$each/cgroup.threads
done
chown -R 65532:65532 $ROOT
cp $EXECUTABLE /tmp/executable; chmod 755 /tmp/executable; EXECUTABLE=/tmp/executable
mkdir /tmp/state; chown 65532:65532 /tmp/state
# The rest of the script is the user's: $1 is the cgroup to do it in.
as_user() {
  cat >/tmp/as-user <<'SCRIPT'
echo $$ >/sys/fs/cgroup/$CGROUP/cgroup.procs
exec setpriv --reuid 65532 --regid 65532 --clear-groups env XDG_RUNTIME_DIR=/tmp/state HOME=/tmp/state sh -c "$1"
SCRIPT
  CGROUP=$1 sh /tmp/as-user "$2"
}
`;

const RUN = '/tmp/executable run --rm --rootfs /tmp/rootfs';
const FILES = 'cd /sys/fs/cgroup; grep . ';

testInUml('rootless in a delegated cgroup', { modules: ['overlay'], setUp: DELEGATED }, [
  {
    name: 'limits are set and seen, in a cgroup namespace of the container’s own',
    script: `as_user user/session "${RUN} --memory 48m --pids-limit 9 --cpus 0.5 /bin/sh -c 'cat /proc/self/cgroup; ${FILES} memory.max pids.max cpu.max; id -u'"`,
    output: `0::/\nmemory.max:${48 << 20}\npids.max:9\ncpu.max:50000 100000\n0`,
  },
  {
    name: 'the cgroup is made beside the caller’s, where the user may',
    script: `as_user user/session "/tmp/executable plan --calls --memory 48m --rootfs /tmp/rootfs /bin/true" | grep -o 'mkdirat(AT_FDCWD, "/sys/fs/cgroup/user/[a-z/]*' | sort -u | tail -1`,
    output: /^mkdirat\(AT_FDCWD, "\/sys\/fs\/cgroup\/user\/caisson/,
  },
  {
    name: 'memory: killed, and told',
    script: `as_user user/session "${RUN} --memory 32m /bin/sh -c 'tail /dev/zero'"`,
    output: /^(?:Killed\n)?caisson: out of memory \(limit 32 MiB\)$/,
    status: 137,
  },
  {
    name: 'pids: a process too many is refused',
    script: `as_user user/session "${RUN} --pids-limit 4 /bin/sh -c '(sleep 0.5; for i in 1 2 3 4 5; do sleep 1 & done) 2>&1 | grep -o \\"can.t fork.*\\"; sleep 1.5; echo on'"`,
    output: "can't fork: Resource temporarily unavailable\non",
  },
  {
    name: 'the image host, with a limit',
    script: `as_user user/session "/tmp/executable run --rm --memory 64m host sh -c 'cat /sys/fs/cgroup/memory.max; id -u; touch /etc/mine && echo written'"`,
    output: `${64 << 20}\n0\nwritten`,
  },
  {
    name: 'the tree of cgroups cannot be written by the container',
    script: `as_user user/session "${RUN} --memory 48m /bin/sh -c 'echo max >/sys/fs/cgroup/memory.max || echo refused; mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused; cat /sys/fs/cgroup/memory.max'" 2>/dev/null`,
    output: `refused\nrefused\n${48 << 20}`,
  },
  {
    name: 'a controller that was not delegated is refused by name',
    script: `as_user user/session "${RUN} --cgroup-conf io.max='7:0 wbps=1' /bin/true"`,
    output: /^caisson: .*\bio\b/,
    status: 125,
  },
  {
    name: 'without delegation a limit is refused, not ignored',
    script: `as_user . "${RUN} --memory 48m /bin/true"`,
    output: /^caisson: .*memory/,
    status: 125,
  },
  {
    name: 'without delegation and without limits it runs',
    script: `as_user . "${RUN} /bin/sh -c 'echo ran'"`,
    output: 'ran',
  },
  {
    name: 'nothing is left',
    script: 'find /sys/fs/cgroup -mindepth 1 -type d | sort; ls -A /tmp/state/caisson',
    output: '/sys/fs/cgroup/user\n/sys/fs/cgroup/user/caisson\n/sys/fs/cgroup/user/session',
  },
]);
