// T21: characters pushed into the terminal of the caller (CVE-2017-5226, CVE-2016-10124).
import { readFileSync } from 'node:fs';
import type { Arena } from './arena.ts';
import { attack } from './attack.ts';

/** Where the kernel has given TIOCSTI up, the attack proves nothing. */
function kernelAllows(): boolean {
  try {
    return readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'utf8').trim() !== '0';
  } catch {
    return true;
  }
}

/** Runs a container whose standard input is the controlling terminal of its caller. */
function inTerminal(arena: Arena, command: readonly string[]): string {
  return arena.asCaller([arena.probe, 'pty', ...command]).stdout;
}

function judge(output: string): string[] {
  const left = Number(/left (\d+)/.exec(output)?.[1] ?? Number.NaN);
  const evidence = left === 0 ? [] : [`${left} characters were pushed`];
  if (!/TIOCSTI E/.test(output)) evidence.push(`TIOCSTI: ${output}`);
  if (!/TIOCLINUX E/.test(output)) evidence.push(`TIOCLINUX: ${output}`);
  return evidence;
}

attack({
  id: 'T21',
  title: 'an inherited terminal takes no characters from the container',
  modes: ['R', 'L', 'U'],
  caught: kernelAllows()
    ? [
        ['the session of the caller', 'R'],
        ['the session of the caller', 'L'],
      ]
    : [],
  run: (arena) => {
    const bundle = arena.bundle({}, 'probe tiocsti');
    const oci = inTerminal(arena, arena.words(['oci', 'run', '--bundle', bundle, arena.newId()]));
    const run = inTerminal(
      arena,
      arena.words(['run', ...arena.flags, '-i', '--rootfs', arena.rootfs, '/bin/probe', 'tiocsti']),
    );
    const own = inTerminal(
      arena,
      arena.words(['run', ...arena.flags, '-it', '--rootfs', arena.rootfs, '/bin/true']),
    );
    return [
      ...judge(oci),
      ...judge(run),
      ...(/left 0 exit 0/.test(own) ? [] : [`with a terminal of its own: ${own}`]),
    ];
  },
});
