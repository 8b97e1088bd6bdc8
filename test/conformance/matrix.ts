// The whole specification matrix, and what is wrong with it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { patched } from '../attack/patched-build.ts';
import { REPOSITORY } from '../attack/programs.ts';
import { CGROUPS } from './cgroups.ts';
import { CONFIGURATION } from './configuration.ts';
import { HOOKS } from './hooks.ts';
import { LIFE_CYCLE } from './life-cycle.ts';
import { LINUX } from './linux.ts';
import { MOUNTS } from './mounts.ts';
import { NOT_FOR_RUNTIMES, OPEN } from './open.ts';
import { REQUIRED } from './required.ts';
import type { Requirement } from './requirement.ts';
import { RESCTRL } from './resctrl.ts';
import { SECCOMP } from './seccomp.ts';
import { LEVELS, SECTIONS } from './specification.ts';

export const MATRIX: readonly Requirement[] = [
  ...LIFE_CYCLE,
  ...HOOKS,
  ...CONFIGURATION,
  ...MOUNTS,
  ...REQUIRED,
  ...LINUX,
  ...RESCTRL,
  ...CGROUPS,
  ...SECCOMP,
];

/** All ids in the order of the specification, with their key words. */
export function requirements(): Map<string, string> {
  return new Map(
    Object.entries(SECTIONS).flatMap(([section, letters]) =>
      [...letters].map((letter, index) => {
        return [`${section}.${index + 1}`, LEVELS[letter as keyof typeof LEVELS]] as const;
      }),
    ),
  );
}

/** Why the table is not right: rows that name nothing, requirements that are nowhere or twice. */
export function faults(): string[] {
  const known = requirements();
  const listed = [
    ...MATRIX.map(({ id }) => id),
    ...OPEN.map(([id]) => id),
    ...NOT_FOR_RUNTIMES.map(([id]) => id),
  ];
  const times = new Map<string, number>();
  for (const id of listed) times.set(id, (times.get(id) ?? 0) + 1);
  return [
    ...[...known.keys()].filter((id) => !times.has(id)).map((id) => `${id} is nowhere`),
    ...[...times].filter(([, count]) => count > 1).map(([id]) => `${id} is there more than once`),
    ...[...times.keys()].filter((id) => !known.has(id)).map((id) => `${id} is not in the specification`),
    ...MATRIX.flatMap(faultsOf),
  ];
}

function faultsOf({ id, shownBy, mutation }: Requirement): string[] {
  const found: string[] = [];
  const path = join(REPOSITORY, shownBy.file);
  if (!existsSync(path)) found.push(`${id}: there is no ${shownBy.file}`);
  else if (!namesOf(readFileSync(path, 'utf8')).some((name) => name.test(shownBy.test)))
    found.push(`${id}: ${shownBy.file} has no test "${shownBy.test}"`);
  if (mutation.length === 0) found.push(`${id}: no mutation`);
  for (const each of mutation) {
    try {
      patched(each, readFileSync(join(REPOSITORY, each.file), 'utf8'));
    } catch (error) {
      found.push(`${id}: ${(error as Error).message}`);
    }
  }
  return found;
}

const cache = new Map<string, RegExp[]>();

/** The names of tests in a source; what is filled in at run time may be anything here, and is known to the runner. */
function namesOf(source: string): RegExp[] {
  let names = cache.get(source);
  if (names === undefined) {
    names = [...source.matchAll(/\btest\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g)].map(
      ([, single, double, template]) => {
        const text = (single ?? double ?? template ?? '').replace(/\\(['"\\])/g, '$1');
        const parts = template === undefined ? [text] : text.split(/\$\{[^}]*\}/);
        return new RegExp(`^${parts.map(escaped).join('.+')}$`);
      },
    );
    cache.set(source, names);
  }
  return names;
}

/** A regular expression of exactly this text. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
