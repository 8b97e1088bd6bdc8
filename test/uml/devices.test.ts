// Attack test T19 on cgroup v2: the device program of a container is one, and lets nothing through but what was given.

import { testInUml } from './checks.ts';

// Prints how many device programs are attached to the cgroup directory $1 (BPF_PROG_QUERY, linux/bpf.ts).
const COUNT_PROGRAMS = `
programs() {
  perl -e '
    opendir(my $d, $ARGV[0]) or die; sysopen(my $f, $ARGV[0], 0) or die "open: $!";
    my $ids = "\\0" x 256;
    my $attr = pack("LLLLQLL", fileno($f), 6, 0, 0, unpack("Q", pack("P", $ids)), 64, 0);
    syscall(321, 16, $attr, 32) == 0 or die "bpf: $!";
    print unpack("x24 L", $attr), "\\n"' "$1"
}
`;

const TRY_OPEN = `
mkdir -p /tmp/t
for each in "mem c 1 1" "disk b 8 0" "fuse c 10 229" "loop b 7 0" "null c 1 3" "zero c 1 5"; do
  set -- $each
  mknod /tmp/t/$1 $2 $3 $4 || continue
  (: </tmp/t/$1) 2>&1 | grep -o "Operation not permitted" >/tmp/t/why
  [ -s /tmp/t/why ] && echo "$1 denied" || echo "$1 open"
  rm -f /tmp/t/$1
done
`;

const DENIED = 'mem denied\ndisk denied\nfuse denied\nloop denied\nnull open\nzero open';

const background = (flags: string, look: string): string => `${COUNT_PROGRAMS}
rm -f /tmp/up; mkdir -p /tmp/shared
caisson --cgroup-parent /probe ${flags} -v /tmp/shared:/shared 'touch /shared/up; while [ ! -e /shared/end ]; do sleep 0.1; done' &
while [ ! -e /tmp/shared/up ]; do sleep 0.1; done
cd /sys/fs/cgroup/probe/*/
${look}
touch /tmp/shared/end; wait; rm -r /tmp/shared; cd /; test ! -e /sys/fs/cgroup/probe`;

testInUml('devices on cgroup v2', { modules: ['loop', 'overlay'] }, [
  {
    name: 'T19: memory, disks and others cannot be opened, null can, even where they can be made',
    script: `caisson --cap-add MKNOD '${TRY_OPEN}'`,
    output: DENIED,
  },
  {
    name: 'the same in the image host',
    script: `host --cap-add MKNOD '${TRY_OPEN}'`,
    output: DENIED,
  },
  {
    name: 'exactly one program is attached',
    script: background('', 'programs .; programs ..'),
    output: '1\n0',
  },
  {
    name: 'a device that was given, and one that a rule gives',
    script: `caisson --cap-add MKNOD --device /dev/loop0:/dev/mine:r --device-cgroup-rule 'c 10:229 rw' '
: </dev/mine && echo read; (: >>/dev/mine) 2>/dev/null || echo not written
mknod /tmp/fuse c 10 229; (: </tmp/fuse) 2>&1 | grep -c "not permitted"; rm /tmp/fuse'`,
    output: 'read\nnot written\n0',
  },
  {
    name: 'one program also for a long list',
    script: background(
      Array.from({ length: 40 }, (_, index) => `--device-cgroup-rule 'c 240:${index * 3} r'`).join(' '),
      'programs .',
    ),
    output: '1',
  },
  {
    name: 'privileged: everything may be opened',
    script: `caisson --privileged '${TRY_OPEN.replaceAll('"disk b 8 0" "fuse c 10 229" ', '')}'`,
    output: 'mem open\nloop open\nnull open\nzero open',
  },
  {
    name: 'nothing is left',
    script: 'find /sys/fs/cgroup -mindepth 1 -type d',
    output: '/sys/fs/cgroup/caisson',
  },
]);
