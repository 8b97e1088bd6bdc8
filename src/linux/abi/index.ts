// System call numbers by name for the two architectures that caisson runs on.
import * as aarch64 from './aarch64.ts';
import * as x86_64 from './x86_64.ts';

/** An architecture that the launcher is built for. */
export type Arch = 'x86_64' | 'aarch64';

/** A system call that x86-64 or arm64 has. */
export type SyscallName = keyof typeof x86_64.SYSCALLS | keyof typeof aarch64.SYSCALLS;

/** Flags of open(2) whose value depends on the architecture. */
export type OpenFlags = { readonly [Name in keyof typeof x86_64.OPEN_FLAGS]: number };

const NUMBERS: Readonly<Record<Arch, Readonly<Record<string, number>>>> = {
  x86_64: x86_64.SYSCALLS,
  aarch64: aarch64.SYSCALLS,
};

const OPEN_FLAGS: Readonly<Record<Arch, OpenFlags>> = {
  x86_64: x86_64.OPEN_FLAGS,
  aarch64: aarch64.OPEN_FLAGS,
};

const names: Partial<Record<Arch, ReadonlyMap<number, SyscallName>>> = {};

/** The number of a system call. Throws RangeError when `arch` has no call of that name (arm64 has no `open`). */
export function syscallNumber(arch: Arch, name: SyscallName): number {
  const table = NUMBERS[arch];
  if (!Object.hasOwn(table, name)) throw new RangeError(`${arch} has no system call named ${name}`);
  return table[name] as number;
}

/** The name of system call `nr`, undefined when `arch` has none of that number. */
export function syscallName(arch: Arch, nr: number): SyscallName | undefined {
  let map = names[arch];
  if (map === undefined) {
    map = new Map(Object.entries(NUMBERS[arch]).map(([name, value]) => [value, name as SyscallName]));
    names[arch] = map;
  }
  return map.get(nr);
}

/** O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE and O_TMPFILE of `arch`. */
export function openFlags(arch: Arch): OpenFlags {
  return OPEN_FLAGS[arch];
}
