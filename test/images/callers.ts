// Who runs the tests of images: root, and an ordinary user with subordinate ids.
import { type Caller, ROOT, skip, subordinateCaller } from '../harness/caisson.ts';

export interface NamedCaller {
  readonly who: string;
  readonly caller: Caller;
  /** For `test(name, { skip })`. */
  readonly skip: string | false;
}

const ordinary = subordinateCaller();

export const CALLERS: readonly NamedCaller[] = [
  { who: 'root', caller: ROOT, skip },
  {
    who: 'an ordinary user',
    caller: ordinary ?? ROOT,
    skip: skip || (ordinary === undefined && 'there is no user caisson-test'),
  },
];
