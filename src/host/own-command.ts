// How caisson's command line is run again: by the monitor of a container, at an event.
import { fileURLToPath } from 'node:url';
import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';

/** Where the command line's entry lies beside this module, built or as source. */
const ENTRIES = ['../cli/main.js', '../cli/main.ts'];

/**
 * Program and first arguments. The compiled executable is its own command line; Node and Bun run the entry that belongs
 * to this library, which is a file of the host.
 */
export function commandLineOf(execPath: string): Bytes[] {
  const here = import.meta.url;
  // Modules inside an executable that Bun compiled have a root of their own.
  if (here.includes('/$bunfs/')) return [utf8ToBytes(execPath)];
  const suffix = here.endsWith('.ts') ? 1 : 0;
  return [utf8ToBytes(execPath), utf8ToBytes(fileURLToPath(new URL(ENTRIES[suffix] as string, here)))];
}
