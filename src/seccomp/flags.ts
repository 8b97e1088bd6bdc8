// The flags of seccomp(SECCOMP_SET_MODE_FILTER) out of a profile's.

import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from '../linux/constants/seccomp.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxSeccompFlag } from '../spec/runtime-spec.ts';

const VALUES: Readonly<Record<LinuxSeccompFlag, number>> = {
  // The launcher has one thread, so there is none to synchronise; runc ignores the flag too. With NEW_LISTENER
  // the kernel would refuse it (it has two meanings for one result).
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/**
 * The flag word. Where the profile has no list of flags, not even an empty one, it is SPEC_ALLOW, as in runc:
 * a filter without it turns on mitigations that cost more than the filter (kernel, spec_ctrl.rst).
 * Throws CaissonError EINVALIDSPEC: unknown flag; WAIT_KILLABLE_RECV without a listener (the kernel: EINVAL).
 */
export function filterFlags(
  flags: readonly LinuxSeccompFlag[] | undefined,
  needsListener: boolean,
  pointer: Pointer,
): number {
  let word = needsListener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  if (flags === undefined) return word | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  for (const [at, flag] of flags.entries()) {
    const here = `${pointer}/flags/${at}`;
    const value = Object.hasOwn(VALUES, flag) ? VALUES[flag] : undefined;
    if (value === undefined) {
      throw new CaissonError(
        `seccomp flag "${flag}" is unknown: use one of ${Object.keys(VALUES).join(', ')}`,
        {
          code: 'EINVALIDSPEC',
          provenance: [here],
        },
      );
    }
    if (value === SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !needsListener) {
      throw new CaissonError(`${flag} concerns SCMP_ACT_NOTIFY, which no rule has: remove the flag`, {
        code: 'EINVALIDSPEC',
        provenance: [here],
      });
    }
    word |= value;
  }
  return word;
}
