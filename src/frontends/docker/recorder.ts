// Collects what compileRun says beside the specification: which flag caused which field, and warnings.

import type { Bytes } from '../../linux/bytes.ts';
import type { Pointer } from '../../spec/error.ts';
import { flagSource } from './flag-error.ts';
import type { RunFlagName } from './run-flags.ts';

/** A value and the words of its source; none for a default. */
export interface Sourced<T> {
  readonly value: T;
  readonly source?: string;
}

/** `value`, caused by `--name text`. */
export function sourced<T>(value: T, name: RunFlagName, text?: Bytes): Sourced<T> {
  return { value, source: flagSource(name, text) };
}

export class Recorder {
  readonly sources = new Map<Pointer, string>();
  readonly warnings: string[] = [];

  /** The field at `pointer` is there because of this flag; several flags of one field are joined by a comma. */
  note(pointer: Pointer, name: RunFlagName, text?: Bytes): void {
    this.noteSource(pointer, flagSource(name, text));
  }

  noteSource(pointer: Pointer, source: string): void {
    const before = this.sources.get(pointer);
    this.sources.set(pointer, before === undefined || before === source ? source : `${before}, ${source}`);
  }

  /** The bare values of a list that becomes the array at `pointer`. */
  array<T>(pointer: Pointer, items: readonly Sourced<T>[]): T[] {
    items.forEach((item, index) => {
      if (item.source !== undefined) this.noteSource(`${pointer}/${index}`, item.source);
    });
    return items.map((item) => item.value);
  }

  warn(message: string): void {
    this.warnings.push(message);
  }
}
