// T20: every system call number of x86-64, x32 and i386 asked under the default profile; the table is a golden file.
//
// The program that asks runs in no place but a container (it refuses, because unfiltered some calls are orders).
// CAISSON_WRITE_GOLDEN=1 writes the file anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { type Arena, REAL } from './arena.ts';
import { attack } from './attack.ts';
import { attackFile } from './programs.ts';

const GOLDEN = attackFile('golden/syscalls-x86_64.txt');

/** What newer kernels and other configurations have or lack, with or without a filter: ENOSYS is as good as a pass. */
const BY_KERNEL = new Set([...range(335, 335), ...range(449, 480)]);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

interface Line {
  readonly abi: string;
  readonly number: number;
  readonly verdict: string;
}

function parse(text: string): Line[] {
  return [...text.matchAll(/^(\w+) (\d+) (\w+)$/gm)].map(([, abi = '', number, verdict = '']) => ({
    abi,
    number: Number(number),
    verdict,
  }));
}

/** One line for each run of numbers with the same verdict, which a person can read. */
function condensed(lines: readonly Line[]): string {
  const runs: { abi: string; first: number; last: number; verdict: string }[] = [];
  for (const { abi, number, verdict } of lines) {
    const run = runs.at(-1);
    if (run?.abi === abi && run.verdict === verdict) run.last = number;
    else runs.push({ abi, first: number, last: number, verdict });
  }
  return runs
    .map(
      ({ abi, first, last, verdict }) => `${abi} ${first === last ? first : `${first}-${last}`} ${verdict}\n`,
    )
    .join('');
}

/** The golden verdict of a number. */
function wanted(golden: readonly string[], { abi, number }: Line): string | undefined {
  for (const line of golden) {
    const [name, numbers = '', verdict] = line.split(' ');
    const [first = 0, last = first] = numbers.split('-').map(Number);
    if (name === abi && number >= first && number <= last) return verdict;
  }
  return undefined;
}

function ask(arena: Arena): Line[] {
  const { stdout } = arena.runDefault(
    ['--hostname', 'syscalls-probe', '--cap-drop', 'all'],
    ['/bin/syscalls'],
  );
  return parse(stdout);
}

attack({
  id: 'T20',
  title: 'the verdict of the default profile about every system call is that of the golden table',
  modes: process.arch === 'x64' ? ['R', 'L', 'U'] : [],
  caught: [
    ['no filter of system calls', 'R'],
    ['a profile that allows what it does not know', 'R'],
  ],
  run: (arena) => {
    const lines = ask(arena);
    if (process.env.CAISSON_WRITE_GOLDEN === '1' && arena.program === REAL)
      writeFileSync(GOLDEN, condensed(lines));
    if (lines.length < 1400) return [`${lines.length} answers: there is no filter`];
    const golden = readFileSync(GOLDEN, 'utf8').split('\n');
    return lines
      .filter((line) => line.verdict !== wanted(golden, line))
      .filter(
        ({ abi, number, verdict }) => !(abi === 'x86_64' && BY_KERNEL.has(number) && verdict === 'ENOSYS'),
      )
      .map((line) => `${line.abi} ${line.number}: ${line.verdict}, not ${wanted(golden, line)}`)
      .slice(0, 20);
  },
});
