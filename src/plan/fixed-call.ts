// Calls of numbers alone that are the same in every plan: made when the module is loaded, and all but encoded.
//
// A program that starts with its modules loaded (dist/caisson-oci) finds them there: 40 of the 330 records of a start.
import type { Arg, Call } from './call.ts';
import { RECORD, RECORD_SIZE, WIRE } from './wire.ts';
import { highWord, lowWord } from './words.ts';

/** Throws Error for an argument that is no number. */
export function fixedCall(name: Call['name'], args: readonly Arg[]): Call {
  const record = new Int32Array(RECORD_SIZE / 4);
  record[RECORD.dest / 4] = WIRE.NONE | 0;
  args.forEach((arg, index) => {
    if (arg.kind !== 'number' || typeof arg.value !== 'number') throw new Error(`${name} is not fixed`);
    const at = RECORD.arg / 4 + 2 * index;
    record[at] = lowWord(arg.value);
    record[at + 1] = highWord(arg.value);
  });
  return { name, args, plain: true, record };
}
