// `npm start`: sets everything up and runs one command in a container of this machine's own files.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setUp } from './setup.mjs';
import { asProgram, root } from './stage.mjs';

// What the container sees, told by itself; sh(1), id(1), sed(1) and /proc are all that it needs.
const TOUR = `
say() { printf '%-11s %s\\n' "$1" "$2"; }
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
first() { for file in "$@"; do [ -r "/sys/fs/cgroup/$file" ] && read -r value < "/sys/fs/cgroup/$file" && return; done; value=none; }
read -r name < /proc/sys/kernel/hostname
say 'host name' "$name"
processes=
for each in /proc/[0-9]*; do
  read -r command < "$each/comm" && processes="$processes\${processes:+, }\${each#/proc/} $command"
done
say 'processes' "$processes"
say 'root' "$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\/ .* - \\([^ ]*\\) .*/\\1/p' /proc/self/mountinfo): $(echo /*)"
say 'network' "$(echo /sys/class/net/* | sed 's:/sys/class/net/::g')"
say 'user' "$(id -un), capabilities $(status CapEff), seccomp mode $(status Seccomp), no_new_privs $(status NoNewPrivs)"
first memory/memory.limit_in_bytes memory.max; memory=$value
first pids/pids.max pids.max; pids=$value
first cpu/cpu.shares cpu.weight; cpu=$value
say 'limits' "memory $memory, processes $pids, CPU share or weight $cpu"
`;

function countProcesses() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
}

await asProgram(import.meta.url, () => {
  setUp('run');
  const executable = join(root, 'dist/caisson');
  if (!existsSync(executable)) throw new Error('dist/caisson was not built');
  // Only root may set limits without a delegated cgroup.
  const limits =
    process.getuid() === 0 ? ['--memory', '256m', '--pids-limit', '64', '--cpu-shares', '512'] : [];
  const args = ['run', '--rm', '--hostname', 'caisson', ...limits, 'host', 'sh', '-c', TOUR];
  process.stderr.write(`outside     ${hostname()}, ${countProcesses()} processes\n`);
  process.stderr.write(`$ caisson ${args.slice(0, -1).join(' ')} '...'\n`);
  const result = spawnSync(executable, args, { cwd: root, stdio: 'inherit' });
  process.exitCode = result.status ?? 1;
});
