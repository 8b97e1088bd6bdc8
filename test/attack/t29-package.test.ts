// T29: nothing of the package is set-user-id or has file capabilities (CVE-2020-5291), and another user can neither
// list, signal nor attach to somebody's containers.
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { STRANGER } from '../harness/caisson.ts';
import { attack } from './attack.ts';
import { REPOSITORY } from './programs.ts';
import { neighbour } from './race.ts';

const S_ISUID_OR_GID = 0o6000;

function programs(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [`${directory}/${entry.name}`] : [],
  );
}

attack({
  id: 'T29',
  title: 'no program of the package is set-user-id or has file capabilities',
  modes: ['R'],
  caught: [],
  run: (arena) => {
    const files = [
      arena.program,
      ...['dist', 'build', 'launcher'].flatMap((name) => programs(`${REPOSITORY}/${name}`)),
    ];
    const set = files.filter((path) => (lstatSync(path).mode & S_ISUID_OR_GID) !== 0);
    const { stdout } = spawnSync('getfattr', ['--absolute-names', '-m', 'security.capability', ...files], {
      encoding: 'utf8',
    });
    return [
      ...set.map((path) => `${path} is set-user-id`),
      ...(stdout ?? '').split('\n').filter((line) => line.startsWith('# file')),
    ];
  },
});

/** What somebody else can do to a container, its launcher and its records. */
const TRIES = `ls -A "$1" >/dev/null 2>&1 && echo "lists the records"
kill -0 "$2" 2>/dev/null && echo "signals the container"
kill -0 "$3" 2>/dev/null && echo "signals the launcher"
for way in root cwd exe environ fd maps; do
  for pid in "$2" "$3"; do { test -r /proc/$pid/$way && head -c 1 /proc/$pid/$way; ls /proc/$pid/$way/; } >/dev/null 2>&1 && echo "looks at $way of $pid"; done
done; true`;

attack({
  id: 'T29',
  title: 'another user cannot list, signal or look into a container',
  modes: ['L', 'R'],
  caught: [
    ['state that everybody reads', 'L'],
    ['state that everybody reads', 'R'],
  ],
  run: async (arena) => {
    // A place for the records that caisson makes itself.
    arena.records = `${arena.makeDirectory('runtime')}/caisson`;
    const { pid, end } = await neighbour(arena, {}, 'echo ready; cat', 'ready');
    const launcher = spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
    const become = ['--reuid', String(STRANGER.uid), '--regid', String(STRANGER.gid), '--clear-groups'];

    const { stdout } = spawnSync(
      'setpriv',
      [...become, 'sh', '-c', TRIES, 'sh', arena.records, String(pid), launcher],
      { encoding: 'utf8' },
    );
    await end();
    return stdout.split('\n').filter((line) => line !== '');
  },
});
