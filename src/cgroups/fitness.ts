// Whether a cgroup is fit for a new container: nobody in it, and not frozen (config-linux.md, Control groups).
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, outBuffer, type Slot, slot, struct } from '../plan/call.ts';
import { AT_FDCWD, check, close, openat, read } from '../plan/syscalls.ts';
import { readFields } from './calls.ts';
import type { Cgroup } from './path.ts';

/** Fails with EBUSY when a v1 cgroup has processes; `procs` is its open cgroup.procs. */
export function emptyCheck(cgroup: Cgroup, procs: Slot): Call[] {
  if (cgroup.version === 2) return [];
  const length = slot('length of cgroup.procs');
  return [
    read(procs, outBuffer('cgroup.procs', 16, false), { result: length }),
    check(length, 'EQ', 0, ERRNO.EBUSY),
  ];
}

/**
 * Fails with EBUSY when the cgroup is frozen, through an ancestor or itself: a process that joins would stop there
 * for good. For v2 the same file says whether there are processes, in the cgroup or below.
 */
export function thawedCheck(cgroup: Cgroup, empty: boolean): Call[] {
  if (cgroup.version === 2) return eventsCheck(cgroup, empty);
  if (!cgroup.controllers.includes('freezer')) return [];
  const state = slot('freezer.state');
  return fileCheck(
    `${cgroup.directory}/freezer.state`,
    [state],
    [check(state, 'EQ', littleEndian('THAWED\n'), ERRNO.EBUSY)],
  );
}

/** cgroup.events starts with `populated 0\nfrozen 0\n`: the bytes 8..15 hold the first digit, 16..20 the second. */
function eventsCheck(cgroup: Cgroup, empty: boolean): Call[] {
  const words = [slot('cgroup.events 0'), slot('cgroup.events 8'), slot('cgroup.events 16')] as const;
  const populated = empty ? [check(words[1], 'EQ', littleEndian('d 0\nfroz'), ERRNO.EBUSY)] : [];
  return fileCheck(`${cgroup.directory}/cgroup.events`, words, [
    ...populated,
    check(words[2], 'EQ', littleEndian('en 0\n'), ERRNO.EBUSY, { mask: 0xff_ffff_ffffn }),
  ]);
}

function fileCheck(path: string, words: readonly Slot[], checks: readonly Call[]): Call[] {
  const fd = slot('cgroup state');
  const fields = words.map((word) => ({
    name: word.name,
    width: 8 as const,
    value: word,
    format: 'hex' as const,
  }));
  return [
    openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, { result: fd }),
    readFields(fd, struct(...fields)),
    close(fd),
    ...checks,
  ];
}

/** Up to eight characters as the number that they are in memory. */
function littleEndian(text: string): bigint {
  let number = 0n;
  for (let i = text.length - 1; i >= 0; i--) number = (number << 8n) | BigInt(text.charCodeAt(i));
  return number;
}
