// Everything that a container and its host show of a start, as text that is the same for every start of one plan.
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '../attack/arena.ts';
import { pause } from '../harness/host-snapshot.ts';

/** The key that the caller has in its session keyring, and the groups that it has. */
export const KEY = 'caisson-mutation-key';
export const CALLER_GROUPS = '20,27';

const TYPES = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup', 'time'];

/** What PID 1 prints, by the tools of `bin`; the last line says that it is done, and then it waits. */
export function script(bin: string): string {
  const nodes = [
    'c 1 3',
    'c 1 5',
    'c 1 7',
    'c 1 8',
    'c 1 9',
    'c 5 0',
    'c 5 2',
    'c 136 0',
    'b 8 0',
    'b 7 0',
    'c 10 229',
  ];
  return `export PATH=${bin}
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn)' /proc/self/status
echo umask $(umask) cwd $(pwd) host $(hostname) domain $(cat /proc/sys/kernel/domainname)
set -- $(cat /proc/1/stat); echo group $5 session $6 tty $7 priority $18 nice $19 policy \${41}
cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/personality
sed 's/^[0-9]* [0-9]* [0-9]*:[0-9]* //' /proc/self/mountinfo
for each in ${TYPES.join(' ')}; do echo $each $(readlink /proc/self/ns/$each); done
for each in /proc/1/fd/*; do echo fd $each; done
ls -l /dev /dev/pts 2>&1 | sed 's/ [A-Z][a-z][a-z] .*:[0-9][0-9] / /'
cat /sys/class/net/lo/flags /proc/self/timens_offsets /proc/sys/net/ipv4/ip_forward /proc/self/uid_map /proc/self/gid_map
for each in /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx; do (: < $each) 2>/dev/null && echo opens $each || echo does not open $each; done
${nodes.map((node) => `probe node ${node}`).join('\n')}
cat /sys/fs/cgroup/devices/devices.list /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/memory/memory.limit_in_bytes
ionice -p 1
probe key-search ${KEY}
for each in /proc/acpi /proc/keys /proc/timer_list /proc/interrupts /sys/firmware /proc/kcore; do test -c $each && echo $each is a device; echo $each has $(ls -A $each | wc -l); done
for each in /etc/hosts /etc/hostname /etc/resolv.conf; do echo $each $(wc -c < $each); done
mkdir /made-by-test && echo the root can be written && rmdir /made-by-test
(: >> /proc/sys/kernel/domainname) && echo /proc/sys can be written
kill -l > /dev/null; probe nested-proc
echo done; read line; exit 7`;
}

/** What is different in every start: ids, inode numbers, directories. */
export function normalised(arena: Arena, text: string): string {
  return text
    .replaceAll('\r', '')
    .replaceAll(arena.directory, 'DIRECTORY')
    .replace(/caisson-(?:test|mutation)-[-0-9]+/g, 'NAME')
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b(host(?:name)?) [0-9a-f]{12}\b/g, '$1 ID')
    .replace(/\b(shared|master|propagate_from):\d+/g, '$1:N')
    .replace(
      /\b(mnt|pid|net|ipc|uts|user|cgroup|time):\[(\d+)\]/g,
      (_, type: string, inode: string) => `${type} ${host(type) === inode ? 'of the host' : 'of its own'}`,
    )
    .replace(/\b(?:work|upper|lower)dir=[^ ,]*/g, 'LAYER')
    .replace(/\bsize=\d+k,nr_inodes=\d+/g, 'SIZE')
    .replace(/^(Max \S+ ?\S* *pending signals|Max processes).*$/gm, '$1');
}

function host(type: string): string {
  return /\d+/.exec(readlinkSync(`/proc/self/ns/${type}`))?.[0] ?? '';
}

/** The container's first process: the only child of the launcher, which is the only child of caisson. */
function childOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return Number(text.split(' ')[0] ?? 0);
}

function seen(pid: number, what: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'latin1').split('\n');
  } catch {
    return [];
  }
}

/** What the host sees while the container waits: the launcher's descriptors and signals, and mounts that leaked. */
function outside(caisson: number): string[] {
  const launcher = childOf(caisson);
  if (launcher === 0) return ['no launcher'];
  const links = readdirSync(`/proc/${launcher}/fd`).map((fd) =>
    readlinkSync(`/proc/${launcher}/fd/${fd}`)
      .replace(/:\[\d+\]$/, '')
      .replace(/^\/proc\/\d+$/, '/proc/PID'),
  );
  const blocked = seen(launcher, 'status').filter((line) => line.startsWith('SigBlk'));
  const mounts = seen(caisson, 'mountinfo').length - 1;
  const home = readlinkSync(`/proc/${launcher}/ns/mnt`) === readlinkSync(`/proc/${caisson}/ns/mnt`);
  return [
    `launcher has ${links.sort().join(' ')}`,
    `launcher is ${home ? '' : 'not '}in the mount namespace of the caller`,
    ...blocked,
    `mounts of the caller: ${mounts}`,
  ];
}

/** A process of this test and all that it has started. */
function killTree(pid: number): void {
  if (pid === 0) return;
  const children = seen(pid, `task/${pid}/children`)
    .join('')
    .trim()
    .split(' ')
    .filter((word) => word !== '');
  for (const child of children) killTree(Number(child));
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function isAlive(pid: number): boolean {
  return (
    pid > 0 && existsSync(`/proc/${pid}/stat`) && !/^State:\s*[ZX]/m.test(seen(pid, 'status').join('\n'))
  );
}

/**
 * Starts, looks, kills the launcher, looks again. A start that fails or hangs is a report as well. `mark` is a file that is
 * written once the container has started.
 */
export async function report(
  arena: Arena,
  args: readonly string[],
  without: string,
  mark: string,
): Promise<string> {
  const shell = 'umask 077; mount --make-rshared / && exec "$@"';
  const prefix = [
    'setpriv',
    '--groups',
    CALLER_GROUPS,
    arena.probe,
    'key-join',
    KEY,
    'unshare',
    '-m',
    'sh',
    '-c',
    shell,
    'sh',
  ];
  const started = arena.start(args, { stdin: 'pipe', prefix, env: { CAISSON_MUTATE: without } });
  let ended = false;
  const end = started.end().then((result) => {
    ended = true;
    return result;
  });
  for (let waited = 0; waited < 2000 && !ended && !/^done\r?$/m.test(started.stdout); waited += 5)
    await sleep(5);
  const ready = !ended && /^done\r?$/m.test(started.stdout);
  const lines: string[] = [];
  if (ready) {
    const caisson = started.child.pid ?? 0;
    const launcher = childOf(caisson);
    const container = childOf(launcher);
    lines.push(...outside(caisson));
    // A command that ends badly takes its container with it, by way of the launcher: nobody else is left to do it.
    lines.push(existsSync(mark) ? 'told that it has started' : 'never told that it has started');
    // While it stands still, caisson cannot do what the kernel is asked to do when the launcher dies.
    if (caisson > 0) process.kill(caisson, 'SIGSTOP');
    if (launcher > 0) process.kill(launcher, 'SIGKILL');
    for (let waited = 0; waited < 1000 && isAlive(container); waited += 5) await sleep(5);
    lines.push(isAlive(container) ? 'lives on without its launcher' : 'dies with its launcher');
    if (isAlive(container)) process.kill(container, 'SIGKILL');
    if (caisson > 0) process.kill(caisson, 'SIGKILL');
  }
  started.child.stdin?.end();
  for (let waited = 0; waited < 1500 && !ended; waited += 5) await sleep(5);
  if (!ended) killTree(started.child.pid ?? 0);
  const { stdout, stderr } = await end;
  const how = ready ? 'ran' : 'did not run';
  return normalised(arena, [how, ...lines, stdout, ready ? '' : stderr.split('\n')[0]].join('\n'));
}

/** Removes what is left of the cgroups `/NAME`, which this test has chosen the name of. */
export function removeCgroups(name: string): void {
  for (const hierarchy of readdirSync('/sys/fs/cgroup'))
    removeDirectory(`/sys/fs/cgroup/${hierarchy}/${name}`);
  removeDirectory(`/sys/fs/cgroup/${name}`);
}

function removeDirectory(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeDirectory(`${path}/${entry.name}`);
  }
  for (let tries = 0; tries < 50; tries++) {
    try {
      rmdirSync(path);
      return;
    } catch {
      // A process that was killed leaves its cgroup a moment later.
      pause(10);
    }
  }
}
