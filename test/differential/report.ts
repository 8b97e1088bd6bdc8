// What a container sees of itself: a busybox script that prints it in sections, and the reader of what it printed.

/** Lies in the root file system as /report; prints `[section]` lines and one fact per line below each. */
export const REPORT = `#!/bin/sh
section() { echo "[$1]"; }
section identity; id; umask; pwd; tr '\\0' ' ' </proc/1/cmdline; echo
section environment; env | sort
section status; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig[^Q]|Speculation|CoreDump|Cpus_allowed_list)' /proc/self/status
section limits; cut -c1-65 /proc/self/limits
section mounts
while read -r id parent device root point options rest; do
  rest=" $rest"; echo "$point $options\${rest%% - *} : $root : \${rest#* - }"
done </proc/self/mountinfo
section devices
for each in /dev/* /dev/pts/*; do
  if [ -L $each ]; then echo "$each -> $(readlink $each)"; else stat -c '%n %F %a %u:%g %t:%T' $each; fi
done
section root; ls -lnd / /proc /sys /tmp /dev/shm /etc /var 2>/dev/null | awk '{ print $1, $3, $4, $9 }'
section names; hostname; cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; uname -m
section descriptors; ls -l /proc/self/fd 2>/dev/null | awk 'NF > 8 { print $9 }'
section files; for each in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /proc/bus /proc/scsi /sys/firmware /etc/group /var; do
  if [ -d $each ]; then echo "$each directory $(ls -A $each | wc -l)"; elif [ -e $each ]; then echo "$each $(cat $each | wc -c | sed 's/[1-9].*/some/')"; else echo "$each absent"; fi
done
section writable; for each in / /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq /sys /sys/fs/cgroup /dev /dev/shm /dev/mqueue /tmp /var; do
  [ -w $each ] && echo "$each writable" || echo "$each not writable"
done
section scheduling; cat /proc/self/oom_score_adj; ionice -p $$; awk '{ print "priority", $18, "nice", $19, "realtime", $40, "policy", $41 }' /proc/1/stat; cat /proc/self/personality
section session; awk '{ print "parent", $4, "group", $5, "session", $6, "terminal", $7 }' /proc/1/stat
section cgroups; sed 's/^[0-9]*://;s/[0-9a-f-]*report[^/]*/ID/' /proc/self/cgroup
section hierarchies; ls -l /sys/fs/cgroup 2>/dev/null | awk 'NF > 8 { print $1, $9, $10, $11 }'
section limits-of-cgroups; for each in memory/memory.limit_in_bytes pids/pids.max cpu/cpu.shares cpu/cpu.cfs_quota_us cpuset/cpuset.cpus; do echo "$each $(cat /sys/fs/cgroup/$each 2>/dev/null)"; done
section namespaces; for each in cgroup ipc mnt net pid user uts time; do echo "$each $(readlink /proc/self/ns/$each)"; done
section maps; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups
section sysctls; for each in net/ipv4/ip_forward net/ipv4/ip_unprivileged_port_start kernel/msgmax kernel/shmmax net/core/somaxconn fs/mqueue/msg_max; do echo "$each $(cat /proc/sys/$each 2>/dev/null)"; done
section network; ip -o link 2>/dev/null | awk '{ print $2, $3 }' | sort
section clocks; tr -s ' \t' ' ' </proc/self/timens_offsets
section devices-tried; for each in "mem c 1 1" "disk b 8 0" "null c 1 3" "fuse c 10 229"; do
  set -- $each
  if mknod /dev/shm/$1 $2 $3 $4 2>/dev/null; then (: </dev/shm/$1) 2>/dev/null && echo "$1 opened" || echo "$1 made"; rm -f /dev/shm/$1; else echo "$1 not made"; fi
done
section calls; syscall 39 >/dev/null && echo getpid; syscall 83 s:/dev/shm/made 448; syscall 92 s:/report 0 0; syscall 165 s:none s:/tmp s:tmpfs 0 0; syscall 272 0x10000000; syscall 250 6 4294967293 b:60 60; syscall 135 4294967295
section end
`;

/** Facts by section, in the order of a sort: what mounts came first is not compared. */
export type Report = ReadonlyMap<string, readonly string[]>;

/** What every container's report has that ended its script. */
export const LAST_SECTION = 'end';

/** Reads what the script printed; `namespaces` are the host's, which become the word `host`, others `new`. */
export function readReport(text: string, namespaces: ReadonlyMap<string, string>): Report {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of text.split('\n')) {
    const name = /^\[([a-z-]+)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      sections.set(name, current);
    } else if (line !== '') {
      current.push(normalised(line, namespaces));
    }
  }
  return new Map([...sections].map(([name, lines]) => [name, lines.sort()]));
}

function normalised(line: string, namespaces: ReadonlyMap<string, string>): string {
  const [, type = '', inode] = /^([a-z]+) [a-z]+:\[(\d+)\]$/.exec(line) ?? [];
  if (inode !== undefined) return `${type} ${namespaces.get(type) === inode ? 'host' : 'new'}`;
  return (
    line
      // Peer groups are numbered by the kernel.
      .replace(/ (master|shared|propagate_from):\d+/g, ' $1')
      // The source of a mount may be the path of this runtime's own bundle.
      .replace(/(?:\/tmp)?\/caisson-differential-\w+/g, 'BUNDLES')
      .replace(/\/(?:runc|crun|caisson)-/g, '/RUNTIME-')
  );
}
