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

/** Those of a daily round of tests with peers, which take their time: the ordinary user is for the long one. */
export const DAILY: readonly NamedCaller[] = CALLERS.map((each, at) =>
  at === 0 || process.env.CAISSON_LONG === '1' ? each : { ...each, skip: each.skip || 'in the long round' },
);
