// Hands a command line over: the quick program becomes the whole one, which runs on Bun, with the same words.
//
// The quick program has what the commands that people wait for need. Whatever is not in it (registries, builds, archives)
// is found out before anybody has seen anything, and the whole program begins anew.
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { HandOver } from './hand-over.ts';
import { readLink, stat } from './quickjs-files.ts';
import { unblockAll } from './quickjs-loop.ts';
import { engine } from './quickjs-native.ts';

/** Beside the quick program, and as `make install` lays it out. */
const PLACES = ['caisson-bun', '../libexec/caisson/caisson-bun'];

/** The quick program's own file. */
export function ownFile(): Bytes {
  return readLink('/proc/self/exe') ?? '';
}

/** Throws HandOver: `what` this program has not. */
export function handOver(what: string): never {
  throw new HandOver(what);
}

/** execve(2) of the whole program. Throws CaissonError `ESETUP` where it is not there or cannot be executed. */
export function becomeWhole(): never {
  const own = ownFile();
  const directory = own.slice(0, own.lastIndexOf('/'));
  const places = PLACES.map((place) => `${directory}/${place}`);
  const whole = places.find((path) => stat(path)?.type === 'file');
  if (whole === undefined) {
    throw new CaissonError(`this needs caisson-bun, which is not beside ${own}`, {
      code: 'ESETUP',
      details: [
        `looked for ${places.join(' and ')}`,
        'keep the two files of caisson together, or install it anew',
      ],
    });
  }
  unblockAll();
  const failed = engine.execute(whole, engine.words(2), engine.words(1));
  throw new CaissonError(`cannot execute ${whole}`, { code: 'ESETUP', errno: -failed, syscall: 'execve' });
}
