// Limits on cgroup v2: what `caisson run` was asked for is in the files, holds, and nothing is left afterwards.

import assert from 'node:assert/strict';
import { testInUml } from './checks.ts';

const FILES = 'cd /sys/fs/cgroup; grep . ';

/** A loop device of 32 MiB, `$LOOP`. */
const LOOP_DEVICE = () => `
truncate -s 32m /tmp/disk
LOOP=$(losetup -f --show /tmp/disk)
export LOOP`;

testInUml('limits on cgroup v2', { modules: ['loop'], setUp: LOOP_DEVICE }, [
  {
    name: 'memory: the kernel kills, and the run says which limit it was',
    script: `caisson --memory 32m 'tail /dev/zero'`,
    output: /^(?:Killed\n)?caisson: out of memory \(limit 32 MiB\)$/,
    status: 137,
  },
  {
    name: 'memory: all files, swap included',
    script: `caisson --memory 64m --memory-swap 96m --memory-reservation 32m '${FILES} memory.max memory.swap.max memory.low'`,
    output: `memory.max:${64 << 20}\nmemory.swap.max:${32 << 20}\nmemory.low:${32 << 20}`,
  },
  {
    name: 'memory: the limit of a cgroup above is not called the container’s own',
    script: `
mkdir /sys/fs/cgroup/tight && echo +memory >/sys/fs/cgroup/tight/cgroup.subtree_control && echo 24m >/sys/fs/cgroup/tight/memory.max
caisson --cgroup-parent /tight --memory 64m 'tail /dev/zero'
code=$?
rmdir /sys/fs/cgroup/tight || echo left
exit $code`,
    output: /^(?:Killed\n)?caisson: out of memory \(.*cgroup above/,
    status: 137,
  },
  {
    name: 'pids: a process too many is refused by the kernel, and the program can go on',
    script: `caisson --pids-limit 5 '${FILES} pids.max; (sleep 0.5; for i in 1 2 3 4 5 6; do sleep 1 & done) 2>&1 | grep -o "can.t fork.*"; sleep 2; echo on'`,
    output: /^5\ncan.t fork: Resource temporarily unavailable\non$/,
  },
  {
    name: 'cpu: weight, quota and period, burst',
    script: `caisson --cpu-shares 512 --cpus 0.5 --cgroup-conf cpu.max.burst=10000 '${FILES} cpu.weight cpu.max cpu.max.burst'`,
    output: 'cpu.weight:59\ncpu.max:50000 100000\ncpu.max.burst:10000',
  },
  {
    name: 'cpu: docker’s period and quota',
    script: `caisson --cpu-period 50000 --cpu-quota 10000 'cat /sys/fs/cgroup/cpu.max'`,
    output: '10000 50000',
  },
  {
    name: 'cpu: idle',
    script: `caisson --cgroup-conf cpu.idle=1 '${FILES} cpu.idle cpu.weight'`,
    output: 'cpu.idle:1\ncpu.weight:0',
  },
  {
    name: 'cpu: a quota of a fifth is what a busy program gets',
    script: `caisson --cpus 0.2 'timeout -s KILL 2 sh -c "while :; do :; done"; cat /sys/fs/cgroup/cpu.stat' 2>/dev/null | awk '/usage_usec|nr_throttled/ { print $2 }'`,
    output: (text) => {
      const [used = 0, throttled = 0] = text.split('\n').map(Number);
      assert.ok(used > 200_000 && used < 1_000_000, `${used} us of CPU in two seconds at 0.2`);
      assert.ok(throttled > 5, `throttled ${throttled} times`);
    },
  },
  {
    name: 'io: bytes and operations per second of a device are in io.max, and hold',
    script: `caisson --device "$LOOP" --device-write-bps "$LOOP:1mb" --device-read-iops "$LOOP:100" '
cat /sys/fs/cgroup/io.max
begin=$(cut -d. -f1 /proc/uptime)
dd if=/dev/zero of='$LOOP' bs=64k count=48 oflag=direct 2>/dev/null
[ $(($(cut -d. -f1 /proc/uptime) - begin)) -ge 2 ] && echo slow'`,
    output: '7:0 rbps=max wbps=1048576 riops=100 wiops=max\nslow',
  },
  {
    name: 'unified keys: --cgroup-conf, in the order given',
    script: `caisson --cgroup-conf memory.high=16777216 --cgroup-conf memory.oom.group=1 --cgroup-conf pids.max=7 '${FILES} memory.high memory.oom.group pids.max'`,
    output: 'memory.high:16777216\nmemory.oom.group:1\npids.max:7',
  },
  {
    name: 'unified keys that no controller has are refused with the field named',
    script: `caisson --cgroup-conf nothing.max=1 true`,
    output: /^caisson: .*nothing\.max.*\n?[\s\S]*--cgroup-conf nothing\.max=1/,
    status: 125,
  },
  {
    name: 'what user-mode-linux has no controller for is refused, not ignored',
    script: `caisson --cpuset-cpus 0 true`,
    output: /^caisson: --cpuset-cpus 0: this host has no cpuset cgroup controller/,
    status: 125,
  },
  {
    name: 'the process is in its cgroup from its first instruction: clone3 puts it there',
    script: `$EXECUTABLE plan --calls --memory 64m --rootfs $ROOT /bin/true | grep -o CLONE_INTO_CGROUP; caisson 'cat /sys/fs/cgroup/cgroup.procs; sleep 0.1; cat /sys/fs/cgroup/pids.peak 2>/dev/null | wc -l'`,
    output: /^CLONE_INTO_CGROUP\n1\n\d+\n1$/,
  },
  {
    name: 'everything is charged to it: nothing of the container is outside',
    script: `caisson --pids-limit 50 'sleep 0.5 & sleep 0.5 & wc -l </sys/fs/cgroup/cgroup.procs; cat /proc/self/cgroup'`,
    output: '4\n0::/',
  },
  {
    name: 'processes that outlive the first one, without a pid namespace, are killed',
    script: `caisson --pid host 'sleep 987 >/dev/null 2>&1 & echo started'; sleep 0.2; pgrep -f "sleep 987" || echo none`,
    output: 'started\nnone',
  },
  {
    name: 'two busy programs share the core by their weights',
    long: true,
    script: `
for weight in 300 100; do
  caisson --cgroup-conf cpu.weight=$weight 'timeout -s KILL 6 sh -c "while :; do :; done"; grep usage_usec /sys/fs/cgroup/cpu.stat' >/tmp/weight-$weight &
done
wait
awk '{ print $2 }' /tmp/weight-300 /tmp/weight-100`,
    output: (text) => {
      const [more = 0, less = 1] = text.split('\n').map(Number);
      assert.ok(more / less > 2.2 && more / less < 3.8, `${more} us and ${less} us, wanted 3:1`);
    },
  },
  {
    name: 'afterwards no cgroup is left but the common parent',
    script: 'find /sys/fs/cgroup -mindepth 1 -type d; cat /sys/fs/cgroup/caisson/cgroup.procs',
    output: '/sys/fs/cgroup/caisson',
  },
]);
