// Constraints on arguments: lengths of memory, slots that are set before they are used, descriptors closed by execve.

import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, OPEN_TREE_CLOEXEC } from '../../linux/constants/mount.ts';
import { MFD_CLOEXEC, O_CLOEXEC } from '../../linux/constants/open.ts';
import { MSG_CMSG_CLOEXEC, SOCK_CLOEXEC } from '../../linux/constants/socket.ts';
import { TIOCGPTPEER } from '../../linux/constants/terminal.ts';
import { type Arg, type Call, isSlot, type Memory, memoryLength, type Slot } from '../call.ts';
import { writtenArguments } from '../kernel-writes.ts';
import { MONITOR } from '../monitor-wire.ts';
import { type Constraint, describe, type Finding } from './constraint.ts';
import { kernelSize } from './kernel-sizes.ts';
import { fieldAt, numberAt } from './recognise.ts';
import type { Moment, Timeline } from './timeline.ts';

type MemoryArg = Arg & { readonly kind: 'memory' };

function eachMemory(
  time: Timeline,
  find: (arg: MemoryArg, index: number, moment: Moment) => string | undefined,
): Finding[] {
  return time.all.flatMap((moment) =>
    moment.call.args.flatMap((arg, index) => {
      const problem = arg.kind === 'memory' ? find(arg, index, moment) : undefined;
      return problem === undefined
        ? []
        : [{ message: `${describe(moment)}, argument ${index}: ${problem}`, moment }];
    }),
  );
}

/** All memory behind a pointer, through structures and arrays of pointers. */
function within(memory: Memory): Memory[] {
  const inner =
    memory.kind === 'pointers'
      ? memory.items
      : memory.kind === 'struct'
        ? memory.fields.flatMap(({ value }) => (typeof value === 'object' && !isSlot(value) ? [value] : []))
        : [];
  return [memory, ...inner.flatMap(within)];
}

function slotsIn(memory: Memory): Slot[] {
  if (memory.kind === 'decimal') return [memory.slot];
  if (memory.kind === 'pointers') return memory.items.flatMap(slotsIn);
  if (memory.kind !== 'struct') return [];
  return memory.fields.flatMap(({ value }) =>
    typeof value !== 'object' ? [] : isSlot(value) ? [value] : slotsIn(value),
  );
}

/** Whether `length` is what a read(2) of this step put into the same buffer: then it is no more than its capacity. */
function isReadLength(memory: Memory, length: Slot, { step }: Moment): boolean {
  if (memory.kind === 'decimal') return true;
  const fills = ({ kind, memory: other }: Partial<MemoryArg>) =>
    kind === 'memory' && other?.kind === 'out' && memory.kind === 'out' && other.buffer === memory.buffer;
  return step.calls.some(
    ({ name, result, tolerate, args }) =>
      name === 'read' &&
      result === length &&
      tolerate === undefined &&
      args.some((arg) => arg.kind === 'memory' && fills(arg)),
  );
}

function declaredLength({ memory, length }: MemoryArg, index: number, moment: Moment): string | undefined {
  const { call } = moment;
  if (length === 'terminated') {
    return memory.kind === 'string' || memory.kind === 'decimal' ? undefined : 'only strings end themselves';
  }
  const have = memoryLength(memory);
  if (length === 'fixed') {
    // DEC is the player's own: it is told the capacity by the encoder.
    if (call.name === 'DEC' || memory.kind === 'pointers') return undefined;
    const need = kernelSize(call, index);
    if (need === undefined) return "the kernel's size of this structure is not in kernel-sizes.ts";
    return have >= need ? undefined : `${have} bytes, the kernel takes ${need}`;
  }
  const said = call.args[length];
  if (said?.kind === 'slot')
    return isReadLength(memory, said, moment) ? undefined : 'a length known only when it is played';
  if (said?.kind !== 'number') return `argument ${length} is no length`;
  const room = memory.kind === 'string' ? have - 1 : have;
  return Number(said.value) <= room && Number(said.value) >= 0
    ? undefined
    : `length ${said.value} of ${room} bytes`;
}

function endsInside({ memory }: MemoryArg): string | undefined {
  const bad = within(memory).find((each) => each.kind === 'string' && each.bytes.includes('\0'));
  return bad === undefined ? undefined : 'a string with NUL inside';
}

/** What a call leaves in slots: its result, and what the kernel writes. */
function setBy(call: Call): Slot[] {
  const written = writtenArguments(call).flatMap((index) => {
    const arg = call.args[index];
    return arg?.kind === 'memory' ? slotsIn(arg.memory) : [];
  });
  return [...(call.result ? [call.result] : []), ...written, ...pidfdOf(call)];
}

function pidfdOf(call: Call): Slot[] {
  const arg = call.name === 'FORK' ? call.args[0] : undefined;
  if (arg?.kind !== 'memory' || arg.memory.kind !== 'struct') return [];
  const target = arg.memory.fields.find(({ name }) => name === 'pidfd')?.value;
  return typeof target === 'object' && !isSlot(target) ? slotsIn(target) : [];
}

function usedBy(call: Call): Slot[] {
  const written = writtenArguments(call);
  const made = new Set(pidfdOf(call));
  return call.args
    .flatMap((arg, index) => {
      if (arg.kind === 'slot') return [arg];
      return arg.kind === 'memory' && !written.includes(index) ? slotsIn(arg.memory) : [];
    })
    .filter((slot) => !made.has(slot));
}

function unset(time: Timeline): Finding[] {
  const known = new Set<Slot>();
  let inherited: ReadonlySet<Slot> = known;
  const findings: Finding[] = [];
  const play = (moments: readonly Moment[], set: Set<Slot>) => {
    for (const moment of moments) {
      if (moment.call.name === 'FORK') inherited = new Set(set);
      const missing = usedBy(moment.call).find((slot) => !set.has(slot));
      if (missing !== undefined)
        findings.push({
          message: `${describe(moment)} uses <${missing.name}>, which nothing has set`,
          moment,
        });
      // Said once for each slot.
      if (missing !== undefined) set.add(missing);
      for (const slot of setBy(moment.call)) set.add(slot);
    }
  };
  play(time.parent, known);
  // Between the two a notifier may be forked, which forks the child.
  play(time.notifier, new Set(inherited));
  play(time.child, new Set(inherited));
  return findings;
}

/** A slot lives in one place: a structure may give it one, and only one of its width. */
function homes(time: Timeline): Finding[] {
  const home = new Map<Slot, Memory>();
  return time.all.flatMap((moment) =>
    moment.call.args
      .flatMap((arg) => (arg.kind === 'memory' ? within(arg.memory) : []))
      .flatMap((memory) =>
        memory.kind === 'struct' ? memory.fields.map((field) => ({ memory, field })) : [],
      )
      .flatMap(({ memory, field }) => {
        const { value, width } = field;
        if (!isSlot(value)) return [];
        const other = home.get(value);
        home.set(value, memory);
        const problem =
          other !== undefined && other !== memory
            ? 'lives in two structures'
            : width !== value.width
              ? `has ${value.width} bytes, its field ${width}`
              : undefined;
        return problem === undefined
          ? []
          : [{ message: `<${value.name}> ${problem}: ${describe(moment)}`, moment }];
      }),
  );
}

function tolerance(time: Timeline): Finding[] {
  const bad = time.all.filter(
    ({ call: { tolerate = [] } }) =>
      tolerate.length > 4 || tolerate.some((errno) => errno < 1 || errno > 255),
  );
  return bad.map((moment) => ({ message: `${describe(moment)} tolerates what a record cannot say`, moment }));
}

function argumentCount(time: Timeline): Finding[] {
  const bad = time.all.filter(({ call }) => call.args.length > 6);
  return bad.map((moment) => ({
    message: `${describe(moment)} has ${moment.call.args.length} arguments`,
    moment,
  }));
}

/** Whether a descriptor that `call` makes is closed by execve; undefined where it makes none. */
function closedByExecve(call: Call): boolean | undefined {
  const has = (flags: number | undefined, flag: number) => ((flags ?? 0) & flag) === flag;
  switch (call.name) {
    case 'openat':
      return has(numberAt(call, 2), O_CLOEXEC);
    case 'openat2':
      return has(fieldAt(call, 2, 'flags'), O_CLOEXEC);
    case 'open_tree':
      return has(numberAt(call, 2), OPEN_TREE_CLOEXEC);
    case 'fsopen':
      return has(numberAt(call, 1), FSOPEN_CLOEXEC);
    case 'fsmount':
      return has(numberAt(call, 1), FSMOUNT_CLOEXEC);
    case 'memfd_create':
      return has(numberAt(call, 1), MFD_CLOEXEC);
    case 'pipe2':
      return has(numberAt(call, 1), O_CLOEXEC);
    case 'socket':
    case 'socketpair':
      return has(numberAt(call, 1), SOCK_CLOEXEC);
    case 'recvmsg':
      return has(numberAt(call, 2), MSG_CMSG_CLOEXEC);
    case 'ioctl':
      return numberAt(call, 1) === TIOCGPTPEER ? has(numberAt(call, 2), O_CLOEXEC) : undefined;
    case 'dup3':
      return (numberAt(call, 1) ?? 0) <= 2 ? undefined : has(numberAt(call, 2), O_CLOEXEC);
    default:
      return undefined;
  }
}

/** The fixed places of what a monitor inherits from its launcher (monitor-wire.ts). */
function isMonitors(call: Call): boolean {
  const to = numberAt(call, 1) ?? -1;
  return call.name === 'dup3' && to >= MONITOR.FD_CLIENT && to <= MONITOR.FD_INPUT;
}

function leaks(time: Timeline): Finding[] {
  const leaking = time.all.filter(
    ({ call, step }) => closedByExecve(call) === false && !(step.id === 'monitor' && isMonitors(call)),
  );
  return leaking.map((moment) => ({
    message: `${describe(moment)} makes a descriptor that execve keeps`,
    moment,
  }));
}

export const MEMORY_RULES: readonly Constraint[] = [
  {
    id: 'lengths-declared',
    order: 'every pointer says how long its memory is, and it is as long as the kernel takes it',
    reason: 'the kernel would read or write beyond it',
    source: 'issue 2 item 2; kernel-sizes.ts',
    check: (time) => eachMemory(time, declaredLength),
  },
  {
    id: 'strings-end',
    order: 'no NUL inside a string: paths, arguments, environment, labels',
    reason: 'the kernel would see another, shorter one',
    source: 'path_resolution(7), execve(2)',
    check: (time) => eachMemory(time, endsInside),
  },
  {
    id: 'slots-set-before-use',
    order: 'a slot is set before it is used, by the same process or by the parent before the clone',
    reason: 'it is 0 until then, which is standard input',
    source: 'docs/plan.md',
    check: unset,
  },
  {
    id: 'slots-have-one-home',
    order: 'a slot is a field of at most one structure, of its own width',
    reason: 'a result is stored in one place',
    source: 'docs/plan.md',
    check: homes,
  },
  {
    id: 'tolerance-fits',
    order: 'at most four errnos, each below 256',
    reason: 'a record has four bytes for them',
    source: 'wire.ts',
    check: tolerance,
  },
  {
    id: 'arguments-fit',
    order: 'at most six arguments',
    reason: 'a system call has six registers',
    source: 'syscall(2)',
    check: argumentCount,
  },
  {
    id: 'descriptors-closed-by-execve',
    order: 'every descriptor but 0, 1 and 2, and what a monitor gets, is made close-on-exec',
    reason: 'the program would inherit it',
    source: 'CVE-2024-21626, CVE-2016-9962',
    check: leaks,
  },
];
