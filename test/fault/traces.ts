// Finds what runs of caisson have left that no record tells of: their processes, and how many things of the kernel there are.
import { readdirSync, readFileSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Processes with `marker` among their arguments; a zombie has none. */
export function processesNamed(marker: string): number[] {
  return processes().filter((pid) => read(`/proc/${pid}/cmdline`).includes(marker));
}

/** Living processes of one of these sessions: a command started with setsid(2), and its launcher. */
export function processesOfSessions(sessions: ReadonlySet<number>): number[] {
  return processes().filter((pid) => {
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    return sessions.has(Number(fields[3])) && fields[0] !== 'Z';
  });
}

/** The first child of a process, 0 without one. */
export function childOf(pid: number): number {
  return Number(read(`/proc/${pid}/task/${pid}/children`).split(' ')[0] ?? 0) || anyChildOf(pid);
}

/** Threads have children of their own. */
function anyChildOf(pid: number): number {
  try {
    const lists = readdirSync(`/proc/${pid}/task`).map((thread) =>
      read(`/proc/${pid}/task/${thread}/children`),
    );
    return Number(lists.join(' ').trim().split(' ')[0]);
  } catch {
    return 0;
  }
}

/**
 * How many network and pid namespaces the kernel has, those without a process included (slabinfo(5)); kept by the
 * slab, so that only a growth by dozens means something.
 */
export function kernelObjects(): ReadonlyMap<string, number> {
  const lines = read('/proc/slabinfo').split('\n');
  const counts = ['net_namespace', 'pid_namespace'].map((name): [string, number] => {
    const line = lines.find((one) => one.startsWith(`${name} `));
    return [name, Number(line?.split(/ +/)[1] ?? 0)];
  });
  return new Map(counts);
}

/** The kinds of which there are more than `allowed` more than before. */
export function grown(before: ReadonlyMap<string, number>, allowed: number): string[] {
  const after = kernelObjects();
  return [...before]
    .filter(([name, count]) => (after.get(name) ?? 0) > count + allowed)
    .map(([name]) => name);
}

/** Deterministic numbers from 0 up to 1 (a linear congruential generator, Numerical Recipes). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Whether `holds` comes true within so many milliseconds. */
export async function soon(holds: () => boolean, milliseconds: number): Promise<boolean> {
  for (const end = performance.now() + milliseconds; performance.now() < end; await wait(5))
    if (holds()) return true;
  return holds();
}
