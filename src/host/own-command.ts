// How caisson's command line is run again: by the monitor of a container, at an event.
import { fileURLToPath } from 'node:url';
import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';

/** Where the command line's entry lies beside this module, built or as source. */
const ENTRIES = ['../cli/main.js', '../cli/main.ts'];

/** Where the quick program lies beside the whole one, built or installed (quickjs-hand-over.ts has the way back). */
const QUICK = ['caisson', '../../bin/caisson'];

/**
 * Program and first arguments. The compiled executable is its own command line, by way of the quick program where that
 * `isFile`; Node and Bun run the entry that belongs to this library, which is a file of the host.
 */
export function commandLineOf(execPath: string, isFile: (path: Bytes) => boolean): Bytes[] {
  const here = import.meta.url;
  // Modules inside an executable that Bun compiled have a root of their own.
  if (here.includes('/$bunfs/')) {
    const own = utf8ToBytes(execPath);
    const directory = own.slice(0, own.lastIndexOf('/'));
    const quick = QUICK.map((place) => `${directory}/${place}`).find(isFile);
    return [own.endsWith('/caisson-bun') && quick !== undefined ? quick : own];
  }
  const suffix = here.endsWith('.ts') ? 1 : 0;
  return [utf8ToBytes(execPath), utf8ToBytes(fileURLToPath(new URL(ENTRIES[suffix] as string, here)))];
}
