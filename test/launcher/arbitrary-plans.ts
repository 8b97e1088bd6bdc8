// Generated plans for the encoder and the player: every kind of argument, memory, slot and pseudo-operation.
import fc from 'fast-check';
import type { SyscallName } from '../../src/linux/abi/index.ts';
import {
  type Arg,
  type Call,
  call,
  type Field,
  type Memory,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  value,
} from '../../src/plan/call.ts';
import { type Step, step } from '../../src/plan/step.ts';
import { check, dec, fork, pause } from '../../src/plan/syscalls.ts';

// Both architectures have these; their arguments do not matter to the encoder.
const NAMES: readonly SyscallName[] = [
  'openat',
  'write',
  'mount',
  'execve',
  'clone3',
  'ioctl',
  'prctl',
  'pivot_root',
];

interface Pool {
  readonly slots: readonly Slot[];
  readonly buffers: readonly OutBuffer[];
}

const bytes = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
});
const anyNumber = fc.oneof(
  fc.integer(),
  fc.nat(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
);

function memories(pool: Pool): fc.Arbitrary<Memory> {
  return fc.letrec<{ memory: Memory; leaf: Memory }>((tie) => ({
    leaf: fc.oneof(
      bytes.map((text): Memory => ({ kind: 'string', bytes: text })),
      bytes.map((text): Memory => ({ kind: 'buffer', bytes: text })),
      fc.uint8Array({ maxLength: 20 }).map((array): Memory => ({ kind: 'buffer', bytes: array })),
      fc.constantFrom(...pool.buffers).map((buffer): Memory => ({ kind: 'out', buffer })),
    ),
    memory: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      tie('leaf'),
      fc.array(tie('memory'), { maxLength: 4 }).map((items): Memory => ({ kind: 'pointers', items })),
      fc
        .array(field(tie('memory')), { minLength: 1, maxLength: 6 })
        .map((fields): Memory => ({ kind: 'struct', fields })),
    ),
  })).memory;
}

function field(memory: fc.Arbitrary<Memory>): fc.Arbitrary<Field> {
  return fc.oneof(
    fc.nat(255).map((n): Field => ({ name: 'byte', width: 1, value: n })),
    fc.nat(65535).map((n): Field => ({ name: 'short', width: 2, value: n })),
    fc.integer().map((n): Field => ({ name: 'int', width: 4, value: n })),
    anyNumber.map((n): Field => ({ name: 'long', width: 8, value: n })),
    memory.map((target): Field => ({ name: 'pointer', width: 8, value: target })),
    fc
      .tuple(fc.constantFrom(4 as const, 8 as const), fc.boolean())
      .map(([width, reply]): Field => ({ name: 'slot', width, value: slot('cell', { width, reply }) })),
  );
}

function calls(pool: Pool): fc.Arbitrary<Call> {
  const arg: fc.Arbitrary<Arg> = fc.oneof(
    anyNumber.map((n) => number(n)),
    fc.constantFrom(...pool.slots).map((from) => value(from)),
    memories(pool).map((memory) => pointer(memory, 'fixed')),
  );
  const options = fc.record({
    result: fc.option(fc.constantFrom(...pool.slots), { nil: undefined }),
    tolerate: fc.option(fc.array(fc.integer({ min: 1, max: 133 }), { maxLength: 4 }), { nil: undefined }),
    retry: fc.boolean(),
  });
  const plain = fc
    .tuple(fc.constantFrom(...NAMES), fc.array(arg, { maxLength: 6 }), options)
    .map(([name, args, { result, tolerate, retry }]) =>
      call(name, args, { ...(result && { result }), ...(tolerate && { tolerate }), retry }),
    );
  const decimal = fc
    .tuple(fc.constantFrom(...pool.slots), bytes)
    .map(([from, prefix]) => dec(from, { kind: 'decimal', prefix, slot: from }));
  const comparison = fc
    .tuple(fc.constantFrom(...pool.slots), fc.constantFrom('EQ', 'NE', 'GE'), anyNumber)
    .map(([left, operator, right]) => check(left, operator, right, 22));
  return fc.oneof(
    { weight: 6, arbitrary: plain },
    decimal,
    comparison,
    fc.nat(9).map((name) => pause(name)),
  );
}

/** Parent, perhaps a fork, child, parent: as compiled plans are built. */
export const plans: fc.Arbitrary<readonly Step[]> = fc
  .record({
    slots: fc.array(fc.tuple(fc.boolean(), fc.constantFrom(4 as const, 8 as const)), {
      minLength: 1,
      maxLength: 6,
    }),
    buffers: fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { minLength: 1, maxLength: 4 }),
  })
  .map(
    ({ slots, buffers }): Pool => ({
      slots: slots.map(([reply, width], index) => slot(`s${index}`, { reply, width })),
      buffers: buffers.map(([reply, length], index) => outBuffer(`b${index}`, length, reply)),
    }),
  )
  .chain((pool) =>
    fc.tuple(
      fc.array(calls(pool), { maxLength: 8 }).map((list) => step('parent', 'a', 'before', [], list)),
      fc
        .array(calls(pool), { minLength: 1, maxLength: 8 })
        .map((list) => step('child', 'b', 'inside', [], list)),
      fc.array(calls(pool), { maxLength: 4 }).map((list) => step('parent', 'c', 'after', [], list)),
      fc.boolean(),
    ),
  )
  .map(([before, inside, after, forks]) => {
    const clone = step(
      'parent',
      'fork',
      'fork',
      [],
      [fork({ flags: 0, pidfd: slot('pidfd', { width: 4 }) }, {})],
    );
    return forks ? [before, clone, inside, after] : [before, after];
  });
