// The environment of a process as runc prepares it: every name once, and HOME.
import type { Bytes } from '../linux/bytes.ts';

const nameOf = (entry: Bytes): Bytes => entry.slice(0, entry.indexOf('='));

/** Whether HOME is set, and not to nothing. */
export function hasHome(env: readonly Bytes[]): boolean {
  const home = env.findLast((entry) => entry.startsWith('HOME='));
  return home !== undefined && home !== 'HOME=';
}

/** Of entries with one name the last, where it stands; HOME is `home` where the environment has none. */
export function preparedEnvironment(env: readonly Bytes[], home: Bytes): Bytes[] {
  const last = new Map(env.map((entry, index) => [nameOf(entry), index]));
  const own = env.filter((entry, index) => last.get(nameOf(entry)) === index && entry !== 'HOME=');
  return own.some((entry) => entry.startsWith('HOME=')) ? own : [...own, `HOME=${home}`];
}
