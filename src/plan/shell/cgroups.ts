// The cgroups of a plan as shell commands: what its steps make, write and join, with mkdir and echo.
import type { Bytes } from '../../linux/bytes.ts';
import type { Call, OutBuffer, Slot } from '../call.ts';
import type { Step } from '../step.ts';
import { quote, words } from './quote.ts';

export interface ShellCgroups {
  /** Before the process is inside. */
  readonly make: readonly Bytes[];
  /** By the process itself. */
  readonly join: readonly Bytes[];
  /** When it has ended. */
  readonly remove: readonly Bytes[];
  /** What steps do that no such command can. */
  readonly left: readonly Bytes[];
}

function text(call: Call, index: number): Bytes | undefined {
  const arg = call.args[index];
  if (arg?.kind !== 'memory') return undefined;
  if (arg.memory.kind === 'string') return arg.memory.bytes;
  return arg.memory.kind === 'buffer' && typeof arg.memory.bytes === 'string' ? arg.memory.bytes : undefined;
}

function slotAt(call: Call, index: number): Slot | undefined {
  const arg = call.args[index];
  return arg?.kind === 'slot' ? arg : undefined;
}

/** Reads the steps named `cgroup-*`: those of the parent are made, those of the child are joins. */
export function shellCgroups(steps: readonly Step[], into: Slot | undefined): ShellCgroups {
  const found = { make: [] as Bytes[], join: [] as Bytes[], remove: [] as Bytes[], left: [] as Bytes[] };
  const files = new Map<Slot | OutBuffer, Bytes>();
  for (const step of steps) {
    if (!step.id.startsWith('cgroup-')) continue;
    if (step.calls.some(({ name }) => name === 'bpf')) found.left.push(step.title);
    for (const call of step.calls) translate(call, step, files, found);
  }
  const directory = into === undefined ? undefined : files.get(into);
  if (directory !== undefined) found.join.push(`echo 0 > ${quote(`${directory}/cgroup.procs`)}`);
  return { ...found, remove: found.remove.reverse() };
}

type Found = { readonly [Name in keyof ShellCgroups]: Bytes[] };

function bufferAt(call: Call, index: number): OutBuffer | undefined {
  const arg = call.args[index];
  return arg?.kind === 'memory' && arg.memory.kind === 'out' ? arg.memory.buffer : undefined;
}

function translate(call: Call, step: Step, files: Map<Slot | OutBuffer, Bytes>, found: Found): void {
  const path = text(call, 1);
  if (call.name === 'openat' && call.result !== undefined && path !== undefined) files.set(call.result, path);
  if (call.name === 'mkdirat' && path !== undefined) {
    found.make.push(words('mkdir', '-p', path));
    // Those above are shared with other containers, and stay.
    if (step.id !== 'cgroup-parents') found.remove.push(words('rmdir', path));
  }
  const slot = slotAt(call, 0);
  const file = slot === undefined ? undefined : files.get(slot);
  const buffer = bufferAt(call, 1);
  if (file === undefined) return;
  if (call.name === 'read' && buffer !== undefined) files.set(buffer, file);
  if (call.name !== 'write') return;
  const content = text(call, 1);
  const from = buffer === undefined ? undefined : files.get(buffer);
  const command = content === undefined ? from && words('cat', from) : words('echo', content);
  if (command === undefined) return;
  // What may fail in the plan may fail here.
  const line = `${command} > ${quote(file)}${call.tolerate === undefined ? '' : ' || :'}`;
  (step.actor === 'child' ? found.join : found.make).push(line);
}
