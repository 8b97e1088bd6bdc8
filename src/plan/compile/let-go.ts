// Descriptors of the child that nothing uses any more: closed where a configuration would otherwise need very many.
//
// A mount leaves several behind (its destination, its directories, itself), which execve(2) or the start barrier
// closes. With hundreds of mounts the limit of open files (RLIMIT_NOFILE, mostly 1024) would end the start before that.
import { ERRNO } from '../../linux/errno.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { type Arg, type Call, isSlot, type Memory, type Slot } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';

/** So many may be open before any is closed: fewer than the lowest usual limit, more than most containers need. */
const BUDGET = 160;

/** Calls of the child whose result is a descriptor. */
const OPENS: ReadonlySet<string> = new Set(['openat', 'openat2', 'open_tree', 'fsopen', 'fsmount']);

/** Closes what the steps from `first` on have opened and used for the last time, whenever too many are open. */
export function letGo(c: Context, first: number): void {
  if (!isLarge(c.spec)) return;
  const { steps } = c;
  const last = lastUses(c);
  let open = new Map<Slot, boolean>();
  for (let index = 0; index < steps.length; index++) {
    const each = steps[index];
    if (each === undefined || each.actor !== 'child') continue;
    for (const call of each.calls) note(call, open);
    if (index < first || open.size < BUDGET) continue;
    const dead = [...open].filter(([slot]) => (last.get(slot) ?? 0) <= index);
    if (dead.length === 0) continue;
    const closes = dead.map(([slot, sure]) => sys.close(slot, sure ? {} : { tolerate: [ERRNO.EBADF] }));
    steps[index] = { ...each, calls: [...each.calls, ...closes] };
    open = new Map([...open].filter(([slot]) => (last.get(slot) ?? 0) > index));
  }
}

/** Whether there is so much to mount that it is worth looking. */
function isLarge({ mounts = [], linux = {} }: Spec): boolean {
  const { maskedPaths = [], readonlyPaths = [], devices = [] } = linux;
  return mounts.length > 16 || maskedPaths.length + readonlyPaths.length + devices.length > 32;
}

/** Keeps the list of open descriptors, and whether each is certainly one: a tolerated failure is none. */
function note({ name, args, result, tolerate }: Call, open: Map<Slot, boolean>): void {
  if (name === 'close' && args[0]?.kind === 'slot') open.delete(args[0]);
  if (result !== undefined && !result.reply && OPENS.has(name)) open.set(result, tolerate === undefined);
}

/** The index of the step that is the last to use a slot. */
function lastUses({ steps }: Context): Map<Slot, number> {
  const last = new Map<Slot, number>();
  // A copy of a descriptor (CHECK with a result) keeps it in use.
  const copies = new Map<Slot, Slot>();
  const use = (used: Slot, index: number): void => {
    for (let each: Slot | undefined = used; each !== undefined; each = copies.get(each))
      last.set(each, index);
  };
  for (const [index, { calls }] of steps.entries()) {
    for (const { name, args, result } of calls) {
      const [checked] = args;
      if (name === 'CHECK' && result !== undefined && checked?.kind === 'slot') copies.set(result, checked);
      for (const arg of args) eachSlot(arg, (used) => use(used, index));
    }
  }
  return last;
}

function eachSlot(arg: Arg, use: (slot: Slot) => void): void {
  if (arg.kind === 'slot') use(arg);
  else if (arg.kind === 'memory') eachInside(arg.memory, use);
}

function eachInside(memory: Memory, use: (slot: Slot) => void): void {
  if (memory.kind === 'decimal') use(memory.slot);
  else if (memory.kind === 'pointers') for (const item of memory.items) eachInside(item, use);
  else if (memory.kind === 'struct') {
    for (const { value } of memory.fields) {
      if (typeof value !== 'object') continue;
      if (isSlot(value)) use(value);
      else eachInside(value, use);
    }
  }
}
