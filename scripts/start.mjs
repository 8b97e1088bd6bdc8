// `npm start`: sets everything up and runs one command in a container of this machine's own files.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setUp } from './setup.mjs';
import { asProgram, root } from './stage.mjs';

// What the container sees, told by itself; a shell and /proc are all that it needs.
const TOUR = `
say() { printf '%-11s %s\\n' "$1" "$2"; }
say 'host name' "$(cat /proc/sys/kernel/hostname)"
say 'user' "$(id -u):$(id -g)"
say 'processes' "$(cd /proc && for pid in [0-9]*; do
  [ -r "$pid/comm" ] && printf '%s:%s ' "$pid" "$(cat "$pid/comm")"; done 2>/dev/null)"
say 'root' "$(grep ' / / ' /proc/self/mountinfo | sed 's/.* - //' | cut -c1-60)"
say 'files' "$(ls -x -w 200 / | tr -s ' \\n' ' ')"
say 'network' "$(ls /sys/class/net 2>/dev/null | tr '\\n' ' ')"
say 'seccomp' "mode $(sed -n 's/^Seccomp:[^0-9]*//p' /proc/self/status), no_new_privs $(sed -n 's/^NoNewPrivs:[^0-9]*//p' /proc/self/status)"
say 'may do' "capabilities $(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status)"
for file in memory/memory.limit_in_bytes memory.max pids/pids.max pids.max cpu/cpu.shares cpu.weight; do
  [ -r "/sys/fs/cgroup/$file" ] && say 'limit' "\${file##*/} $(cat "/sys/fs/cgroup/$file")"
done
echo 'this file is the container'"'"'s alone' > /root/.caisson-was-here 2>/dev/null || true
`;

await asProgram(import.meta.url, () => {
  setUp('run');
  const executable = join(root, 'dist/caisson');
  if (!existsSync(executable)) throw new Error('dist/caisson was not built');
  // Only root may set limits without a delegated cgroup.
  const limits =
    process.getuid() === 0 ? ['--memory', '256m', '--pids-limit', '64', '--cpu-shares', '512'] : [];
  const args = ['run', '--rm', '--hostname', 'caisson', ...limits, 'host', 'sh', '-c', TOUR];
  process.stderr.write(`$ caisson ${args.slice(0, -1).join(' ')} '...'\n`);
  const result = spawnSync(executable, args, { cwd: root, stdio: 'inherit' });
  process.exitCode = result.status ?? 1;
});
