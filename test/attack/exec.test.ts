// T01, T03, T04, T23 through exec: a container that waits for processes of the host that come inside.
import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { CAPABILITIES, capabilities, type Ended, type Part } from '../harness/caisson.ts';
import { type Arena, rounds, sung } from './arena.ts';
import { attack } from './attack.ts';
import { hashOf } from './oracle.ts';
import { type Neighbour, neighbour } from './race.ts';

const LEAKED = 30;

/** `exec` by a caller with open directories of the host. */
function exec(arena: Arena, id: string, flags: readonly string[], command: readonly string[]): Ended {
  const prefix = [arena.probe, 'leak', String(LEAKED), arena.canary];
  return arena.caisson(['oci', 'exec', ...flags, id, ...command], { prefix });
}

/** Execs again and again, until the container says that it has got hold of something; what it says. */
async function provoke(
  { started, id, end }: Neighbour,
  arena: Arena,
  times: number,
  got: RegExp,
  command: (round: number) => readonly string[],
): Promise<string> {
  let ran = 0;
  for (let i = 0; i < times && !got.test(started.stdout); i++) {
    // The attacker's output is read between two processes.
    await new Promise((resolve) => setImmediate(resolve));
    if (exec(arena, id, [], command(i)).code === 0) ran++;
  }
  assert.ok(ran > 0, 'none of them could go inside');
  return end();
}

const POWERS = [...CAPABILITIES, 'CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'];

attack({
  id: 'T23',
  title: 'who comes inside by exec cannot be looked into while it is set up',
  modes: ['R', 'L', 'U'],
  caught: [['an exec that can be looked into', 'U']],
  run: async (arena) => {
    // With CAP_SYS_PTRACE in the first user namespace nothing can be kept from a container (ptrace(2)).
    const process = { capabilities: capabilities(arena.mode === 'R' ? CAPABILITIES : POWERS) };
    const script = `exec probe look ${arena.canary}/secret`;
    const attacker = await neighbour(arena, { process }, script, 'watching');
    const got = /reached|attached/;
    const output = await provoke(attacker, arena, rounds(100, 5000), got, () => ['true']);
    assert.match(output, /end\n$/);
    return [...new Set(output.split('\n').filter((line) => got.test(line)))];
  },
});

attack({
  id: 'T01',
  title: 'processes that come inside are no way to write to the launcher',
  modes: ['R', 'U'],
  caught: [['a launcher that is not sealed', 'R']],
  run: async (arena) => {
    const hash = hashOf(arena.program);
    // The interpreter of the script is the program that executes it: the launcher, inside the container.
    const path = arena.image((root) =>
      writeFileSync(`${root}/bin/entry`, '#!/proc/self/exe\n', { mode: 0o755 }),
    );
    const process = { capabilities: capabilities(POWERS) };
    const parts: Part = { process, root: { path } };
    const attacker = await neighbour(arena, parts, 'exec probe overwrite', 'watching');
    const entries = [['/bin/entry'], ['/bin/true']] as const;
    const output = await provoke(attacker, arena, rounds(60, 500), /wrote/, (i) => entries[i % 2] ?? []);
    const evidence = output.split('\n').filter((line) => line.startsWith('wrote'));
    if (hashOf(arena.program) !== hash) evidence.push('the executable has changed');
    return evidence;
  },
});

attack({
  id: 'T03',
  title: 'descriptors of the caller do not arrive in a process of exec',
  modes: ['R', 'L', 'U'],
  caught: [['descriptors of the caller', 'R']],
  run: async (arena) => {
    const { id, end } = await neighbour(arena, {}, 'echo ready; cat', 'ready');
    const script = 'cd /proc/self/fd && for each in *; do echo $each; done';
    const { code, stdout, stderr } = exec(arena, id, [], ['sh', '-c', script]);
    await end();
    // The shell opens the directory to list it.
    const open = stdout.split('\n').filter((line) => line !== '' && Number(line) > 2);
    return [
      ...(code === 0 ? [] : [`did not start: ${stderr}`]),
      ...(open.length > 1 ? [`open in the process: ${open.join(' ')}`] : []),
    ];
  },
});

attack({
  id: 'T04',
  title: 'a working directory of exec by way of /proc/self/fd is refused or inside the root',
  modes: ['R', 'L', 'U'],
  caught: [['an exec whose working directory is a path', 'R']],
  run: async (arena) => {
    const numbers = Array.from({ length: rounds(16, 256) }, (_, n) => String(n));
    const path = arena.image((root) => {
      for (const n of numbers) symlinkSync(`/proc/self/fd/${n}`, `${root}/cwd-${n}`);
      for (const name of ['cwd', 'root']) symlinkSync(`/proc/self/${name}`, `${root}/cwd-${name}`);
    });
    const { id, end } = await neighbour(arena, { root: { path } }, 'echo ready; cat', 'ready');
    const directories = [
      ...numbers.flatMap((n) => [`/proc/self/fd/${n}`, `/cwd-${n}`]),
      ...['/proc/self/cwd', '/proc/1/cwd', '/proc/self/root/proc/self/fd/7', '/cwd-cwd', '/cwd-root/../..'],
    ];
    const script = 'pwd -P; cat secret ../secret ./canary/secret 2>/dev/null; ls -ld .';
    const evidence: string[] = [];
    for (const cwd of directories) {
      if (evidence.length > 0) break;
      const { code, stdout, stderr } = exec(arena, id, ['--cwd', cwd], ['sh', '-c', script]);
      evidence.push(...sung(stdout));
      if (stdout.includes('unreachable') || (code === 0 && !stdout.startsWith('/')))
        evidence.push(`${cwd}: ${stdout}`);
      if (/unexpected|internal/.test(stderr)) evidence.push(`${cwd}: ${stderr}`);
    }
    await end();
    return evidence;
  },
});
