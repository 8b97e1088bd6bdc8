// What a Disk says when something goes wrong: in caisson's words, with advice where there is any.
import type { Bytes } from '../linux/bytes.ts';
import { errnoName, errnoText } from '../linux/errno.ts';
import { CaissonError } from '../spec/error.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space, `caisson system prune` removes what no image needs',
  EDQUOT: 'your quota is used up: free some space, `caisson system prune` removes what no image needs',
  EROFS: 'the file system is read-only: choose another place with --data-root',
  EIO: 'the disk may be failing: see the log of the kernel (dmesg)',
};

/** `doing` as in "cannot open PATH". */
export function diskErrorOf(
  errno: number,
  syscall: string,
  doing: string,
  path: Bytes,
  cause?: unknown,
): CaissonError {
  const advice = ADVICE[errnoName(errno)];
  return new CaissonError(`cannot ${doing} ${path}: ${errnoText(errno)} (${errnoName(errno)})`, {
    code: 'EDISK',
    errno,
    syscall,
    ...(advice === undefined ? {} : { details: [advice] }),
    ...(cause === undefined ? {} : { cause }),
  });
}
