// The OCI runtime on cgroup v2: where its cgroups are, pause, update, events and ps, and that nothing is left.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInUml, type UmlResult, umlMissing } from './harness.ts';

const executable = process.env.CAISSON_OCI ?? join(process.cwd(), 'dist/caisson-oci');
const skip = umlMissing() ?? (existsSync(executable) ? false : 'dist/caisson-oci is not built');

const PRELUDE = `mkdir -p /tmp/b/rootfs/bin /tmp/b/rootfs/proc; cd /tmp/b
cp /bin/busybox rootfs/bin/; for each in sh sleep cat head true mkdir; do ln -s busybox rootfs/bin/$each; done
rt() { ${executable} --root /tmp/state "$@"; }
config() { cat > config.json; }
base() { echo '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"/","env":["PATH=/bin"],"args":['"$1"']},
  "mounts":[{"destination":"/proc","type":"proc"}],"linux":{'"$2"'"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"cgroup"}]}}' | config; }
show() { echo "$1: $(cat "/sys/fs/cgroup/$2" | tr '\\n' ' ')"; }
status() { echo "$1: $(rt state one | sed -n 's/.*"status": "\\(.*\\)".*/\\1/p')"; }
left() { echo "left: $(find /sys/fs/cgroup -mindepth 1 -type d | tr '\\n' ' ')"; }
try() { name=$1; shift; "$@" > /tmp/out 2>&1 < /dev/null; echo "$name: $? $(sed 's/.*msg="//;s/"$//' /tmp/out | head -n 1)"; }
`;

/** `name: text` lines as a map. */
function lines(result: UmlResult): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of result.output.split('\n')) {
    const at = line.indexOf(': ');
    if (at > 0) found.set(line.slice(0, at), line.slice(at + 2).trim());
  }
  return found;
}

function expectLines(result: UmlResult, expected: Readonly<Record<string, string | RegExp>>): void {
  const found = lines(result);
  for (const [name, wanted] of Object.entries(expected)) {
    const text = found.get(name) ?? 'not printed';
    if (typeof wanted === 'string') assert.equal(text, wanted, `${name}\n${result.output}`);
    else assert.match(text, wanted, `${name}\n${result.output}`);
  }
}

test('limits, update, pause and statistics on cgroup v2', { skip }, async () => {
  const script = `${PRELUDE}
base '"sh","-c","i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exec sleep 1000"' '"resources":{"memory":{"limit":33554432,"swap":67108864},"cpu":{"shares":1024,"quota":50000},"pids":{"limit":20}},'
try create rt create one; try start rt start one
show place one/cgroup.controllers; show memory one/memory.max; show cpu one/cpu.max; show weight one/cpu.weight; show pids one/pids.max
try swap cat /sys/fs/cgroup/one/memory.swap.max
try u1 rt update --memory 64M --cpu-period 200000 one; show memory1 one/memory.max; show cpu1 one/cpu.max
try u2 rt update --cpu-quota -1 --pids-limit -1 one; show cpu2 one/cpu.max; show pids2 one/pids.max
try u3 rt update --memory 10M --memory-swap 5M one; show memory3 one/memory.max
try u4 rt update --pids-limit 9 --cpu-period 7 one; show pids4 one/pids.max
echo '{"unified":{"pids.max":"13","memory.high":"9000000"}}' > r.json; try u5 rt update -r r.json one; show pids5 one/pids.max; show high5 one/memory.high
echo '{"unified":{"hugetlb.2MB.max":"13"}}' > r.json; try u6 rt update -r r.json one
echo '{"memory":{"limit":4096,"checkBeforeUpdate":true}}' > r.json; try u7 rt update -r r.json one
try u8 rt update --memory -1 one; show memory8 one/memory.max
try pause rt pause one; status paused; show frozen one/cgroup.events; try u9 rt update --pids-limit 5 one; try again rt pause one
try resume rt resume one; status running; try again2 rt resume one
echo "stats: $(rt events --stats one)"
echo "ps: $(rt ps -f json one)"; mkdir /sys/fs/cgroup/one/below
try delete rt delete -f one; left`;
  const result = await runInUml({ script, timeout: 30 });
  expectLines(result, {
    create: '0',
    start: '0',
    place: /memory pids/,
    memory: '33554432',
    cpu: '50000 100000',
    weight: '100',
    pids: '20',
    memory1: '67108864',
    cpu1: '50000 200000',
    cpu2: 'max 200000',
    pids2: 'max',
    u3: /^1 memory\.swap .*is 5242880, below memory\.limit 10485760/,
    memory3: '67108864',
    u4: /^1 failed to write \\"max 7\\": write \/sys\/fs\/cgroup\/one\/cpu\.max: invalid argument/,
    pids4: 'max',
    pids5: '13',
    high5: '8998912',
    u6: /^1 .*hugetlb/,
    u7: /^1 rejecting memory limit 4096 <= usage \d+/,
    u8: '0',
    memory8: 'max',
    paused: 'paused',
    frozen: /frozen 1/,
    u9: '0',
    again: '1 container not running',
    running: 'running',
    again2: '1 container not paused',
    stats:
      /^\{"type":"stats","id":"one","data":\{"cpu":\{"usage":\{"total":\d+.*"pids":\{"current":1,"limit":5\}/,
    ps: /^\[\d+\]$/,
    delete: '0',
    left: '',
  });
});

test('a process killed for want of memory is an event on cgroup v2, the end of the container the last', {
  skip,
}, async () => {
  const script = `${PRELUDE}
ln -s busybox rootfs/bin/tr
printf 'sleep 1\nsh -c "x=$(head -c 64m /dev/zero | tr "\\\\0" x)"\nsleep 1000\n' > rootfs/hog
base '"sh","/hog"' '"resources":{"memory":{"limit":16777216,"swap":16777216}},'; try run rt run -d one
rt events --interval 200ms one > events & watcher=$!
for i in 1 2 3 4 5 6 7 8 9 10; do grep -q oom events && break; sleep 1; done
echo "oom: $(grep oom events | head -n 1)"; echo "first: $(head -n 1 events | cut -c 1-29)"
rt kill one KILL 2> /dev/null; wait $watcher; echo "ended: $?"; try delete rt delete one; left`;
  const result = await runInUml({ script, timeout: 40 });
  expectLines(result, {
    run: '0',
    oom: '{"type":"oom","id":"one"}',
    first: '{"type":"stats","id":"one","d',
    ended: '0',
    delete: '0',
    left: '',
  });
});

test('cgroups in use, frozen, or without domain controllers are refused on cgroup v2', { skip }, async () => {
  const script = `${PRELUDE}
cd /tmp/b; mkdir /sys/fs/cgroup/own; echo $$ > /sys/fs/cgroup/own/cgroup.procs
base '"sleep","1000"' ''; try beside rt run -d one; echo "where: $(cat /proc/$(rt ps -f json one | tr -d '[]')/cgroup)"; try d1 rt delete -f one
base '"sleep","1000"' '"cgroupsPath":"/p/q",'; try deep rt run -d one; echo "deep place: $(cat /proc/$(rt ps -f json one | tr -d '[]')/cgroup)"
try taken rt run -d two; status one; try d2 rt delete -f one
mkdir -p /sys/fs/cgroup/p/f; echo 1 > /sys/fs/cgroup/p/f/cgroup.freeze
base '"sleep","1000"' '"cgroupsPath":"/p/f",'; try frozen rt run -d one
echo 1 > /sys/fs/cgroup/p/cgroup.freeze; echo 0 > /sys/fs/cgroup/p/f/cgroup.freeze; try above rt run -d one; echo 0 > /sys/fs/cgroup/p/cgroup.freeze
mkdir -p /sys/fs/cgroup/t/x; echo threaded > /sys/fs/cgroup/t/x/cgroup.type
base '"sleep","1000"' '"cgroupsPath":"/t/x","resources":{"memory":{"limit":33554432}},'; try threaded rt run -d one
base '"sleep","1000"' '"cgroupsPath":"/t/x/y/z","resources":{"pids":{"limit":33}},'; try threads rt run -d one; show mode t/x/y/z/cgroup.type; show most t/x/y/z/pids.max
echo "counted: $(rt ps -f json one)"; try d3 rt delete -f one; rmdir /sys/fs/cgroup/t/x/y 2> /dev/null
base '"sleep","1000"' '"cgroupsPath":"/own/in",'; try inner rt run -d one; show plain own/in/cgroup.type; try d4 rt delete -f one
base '"sleep","1000"' '"cgroupsPath":"a:b:c",'; try systemd rt run -d one
rmdir /sys/fs/cgroup/t/x /sys/fs/cgroup/t /sys/fs/cgroup/p/f /sys/fs/cgroup/p; echo "records: $(ls -A /tmp/state)"; left`;
  const result = await runInUml({ script, timeout: 30 });
  expectLines(result, {
    beside: '0',
    where: '0::/one',
    deep: '0',
    'deep place': '0::/p/q',
    taken: /^1 .*container's cgroup is not empty: 1 process\(es\) found/,
    one: 'running',
    frozen: /^1 .*container's cgroup unexpectedly frozen/,
    above: /^1 /,
    threaded: /^1 .*cannot enter cgroupv2 .*\/t\/x.* with domain controllers -- it is in threaded mode/,
    threads: '0',
    mode: 'threaded',
    most: '33',
    counted: /^\[\d+\]$/,
    d3: '0',
    inner: '0',
    plain: 'domain',
    d4: '0',
    systemd: /^1 .*slice:prefix:name/,
    records: '',
    left: '/sys/fs/cgroup/own',
  });
});

// config-linux.md, Cgroup ownership: a new cgroup namespace, and a writable mount of it.
test('a cgroup that is mounted writable is given to the user inside, on cgroup v2', { skip }, async () => {
  const script = `${PRELUDE}
own() { echo '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"/","env":["PATH=/bin"],"user":{"uid":1000,"gid":7},"args":["sleep","1000"]},
  "mounts":[{"destination":"/proc","type":"proc"},{"destination":"/sys","type":"sysfs"},{"destination":"/sys/fs/cgroup","type":"cgroup","options":["'"$1"'"]}],
  "linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"network"}'"$2"']}}' | config; }
owners() { echo "$1: $(cd /sys/fs/cgroup/one; stat -c %u:%g . cgroup.procs cgroup.subtree_control memory.max | tr '\\n' ' ')"; }
own rw ',{"type":"cgroup"}'; try run rt run -d one; owners given; try make rt exec one mkdir /sys/fs/cgroup/below; try d1 rt delete -f one
own ro ',{"type":"cgroup"}'; try run rt run -d one; owners read-only; try d2 rt delete -f one
own rw ''; try run rt run -d one; owners shared; try d3 rt delete -f one; left`;
  const result = await runInUml({ script, timeout: 30 });
  expectLines(result, {
    run: '0',
    given: '1000:0 1000:0 1000:0 0:0',
    'read-only': '0:0 0:0 0:0 0:0',
    shared: '0:0 0:0 0:0 0:0',
    d1: '0',
    d2: '0',
    d3: '0',
    left: '',
  });
});

// As with runc and crun the paths of /proc/self/cgroup are there; but root of a user namespace may own others.
test('without a cgroup namespace all of cgroup v2 is mounted, and exec follows a process that moves', {
  skip,
}, async () => {
  const script = `${PRELUDE}
mkdir -p rootfs/sys /sys/fs/cgroup/other; ln -s busybox rootfs/bin/ls
whole() { echo '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"/","env":["PATH=/bin"],"args":["sh","-c","'"$1"'"]},
  "mounts":[{"destination":"/proc","type":"proc"},{"destination":"/sys","type":"sysfs"},{"destination":"/sys/fs/cgroup","type":"cgroup","options":["'"$2"'"]}],
  "linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"network"}'"$3"'}}' | config; }
MAP='"containerID":0,"hostID":100000,"size":65536'
whole 'cat /sys/fs/cgroup$(sed s/0::// /proc/self/cgroup)/cgroup.procs; ls -d /sys/fs/cgroup/other; echo 1 > /sys/fs/cgroup/other/cgroup.procs' ro ']'
ln -s busybox rootfs/bin/sed; echo "read-only: $(rt run one 2>&1 | tr '\\n' ' ')"
whole 'ls -d /sys/fs/cgroup/other' ro ',{"type":"cgroup"}]'; echo "own: $(rt run one 2>&1)"
chown -R 100000:100000 rootfs
whole 'ls -d /sys/fs/cgroup/other' rw ',{"type":"user"}],"uidMappings":[{'$MAP'}],"gidMappings":[{'$MAP'}]'; echo "user: $(rt run one 2>&1)"
whole 'echo 1 > /sys/fs/cgroup/other/cgroup.procs && exec sleep 1000' rw ']'; try run rt run -d one
for i in 1 2 3 4 5; do rmdir /sys/fs/cgroup/one 2> /dev/null && break; sleep 1; done
echo "exec: $(rt exec one cat /proc/self/cgroup 2>&1)"; try delete rt delete -f one; rmdir /sys/fs/cgroup/other; left`;
  const result = await runInUml({ script, timeout: 30 });
  expectLines(result, {
    'read-only': /^1 \d+ \/sys\/fs\/cgroup\/other .*Read-only file system/,
    own: /No such file/,
    user: /No such file/,
    run: '0',
    exec: '0::/other',
    delete: '0',
    left: '',
  });
});
