// Calls of numbers alone that are the same in every plan: made when the module is loaded, and all but encoded.
//
// A program that starts with its modules loaded (dist/caisson-oci) finds them there: 40 of the 330 records of a start.
import type { Arg, Call } from './call.ts';
import { RECORD, WIRE } from './wire.ts';

/** Throws Error for an argument that is no number of 32 bits. */
export function fixedCall(name: Call['name'], args: readonly Arg[]): Call {
  const fixed = [(RECORD.dest - RECORD.arg) / 4, WIRE.NONE | 0];
  args.forEach((arg, index) => {
    const value = arg.kind === 'number' ? arg.value : undefined;
    if (typeof value !== 'number' || value !== (value | 0)) throw new Error(`${name} is not fixed`);
    if (value !== 0) fixed.push(2 * index, value);
    if (value < 0) fixed.push(2 * index + 1, -1);
  });
  return { name, args, plain: true, fixed };
}
