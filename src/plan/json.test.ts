// The JSON form of a plan: stable names, exact numbers and bytes, unique slots, no secrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../spec/json.ts';
import { call, number, pointer, slot, struct } from './call.ts';
import { planJson } from './json.ts';
import { type Plan, step } from './step.ts';
import * as sys from './syscalls.ts';

function jsonOf(
  plan: Plan,
  options: { showSecrets?: boolean; sources?: ReadonlyMap<string, string> } = {},
): unknown {
  return parseJson(planJson(plan, { arch: 'x86_64', ...options }));
}

const one = (...calls: Parameters<typeof step>[4]): Plan => ({
  steps: [step('child', 'x', 'do it', '/process', calls)],
});

/** The first call of the first step. */
function callOf(plan: Plan, options = {}): Record<string, unknown> {
  const { steps } = jsonOf(plan, options) as { steps: { calls: Record<string, unknown>[] }[] };
  return steps[0]?.calls[0] ?? {};
}

test('the form of a document', () => {
  const plan: Plan = {
    steps: [
      step('parent', 'umask', 'modes \xff', ['/process', 'default: why'], [sys.umask(0o22)], [sys.umask(0)]),
    ],
  };
  assert.deepEqual(jsonOf(plan), {
    version: 1,
    arch: 'x86_64',
    steps: [
      {
        id: 'umask',
        actor: 'parent',
        section: 'before',
        title: 'modes \xef\xbf\xbd',
        provenance: ['/process', 'default: why'],
        calls: [{ name: 'umask', args: [{ number: 18, text: '022' }], text: 'umask(022)' }],
        undo: [{ name: 'umask', args: [{ number: 0, text: '000' }], text: 'umask(000)' }],
      },
    ],
  });
});

test('sources stand beside the pointers', () => {
  const { steps } = jsonOf(one(sys.umask(0)), { sources: new Map([['/process', 'jail.conf:1']]) }) as {
    steps: { sources: string[] }[];
  };
  assert.deepEqual(steps[0]?.sources, ['jail.conf:1']);
});

test('numbers keep all their bits', () => {
  const limit = struct(
    { name: 'rlim_cur', width: 8, value: 2n ** 64n - 1n },
    { name: 'rlim_max', width: 8, value: 2n ** 53n + 1n },
  );
  const text = planJson(one(call('prlimit64', [number(0), number(7), pointer(limit, 'fixed'), number(0)])), {
    arch: 'x86_64',
  });
  assert.ok(text.includes('"number":18446744073709551615'), text);
  assert.ok(text.includes('"number":9007199254740993'), text);
});

test('slots of the same name are told apart', () => {
  const [first, second] = [slot('fd'), slot('fd')];
  const plan = one(
    sys.openat(-100, '/a', 0, 0, { result: first }),
    sys.openat(-100, '/b', 0, 0, { result: second, tolerate: [2] }),
    sys.moveMount(second, first, 0),
  );
  const { steps } = jsonOf(plan) as {
    steps: { calls: { result?: string; tolerate?: string[]; args: unknown[]; text: string }[] }[];
  };
  const [, open, move] = steps[0]?.calls ?? [];
  assert.equal(open?.result, 'fd#2');
  assert.deepEqual(open?.tolerate, ['ENOENT']);
  assert.deepEqual(move?.args[0], { slot: 'fd#2' });
  assert.equal(move?.text, 'move_mount(<fd#2>, "", <fd>, "", 0)');
});

test('memory of every kind, and bytes that are not UTF-8', () => {
  assert.deepEqual(callOf(one(sys.chdir('/caf\xe9'))).args, [
    { string: { hex: '2f636166e9' }, length: 'terminated' },
  ]);
  assert.deepEqual(callOf(one(sys.write(1, new Uint8Array([65, 255])))).args, [
    { number: 1 },
    { bytes: { hex: '41ff' }, length: 2 },
    { number: 2 },
  ]);
  assert.deepEqual(callOf(one(sys.pipe2(slot('a', { width: 4 }), slot('b', { width: 4 }), 0))).args, [
    {
      struct: [
        { name: 'read', width: 4, slot: 'a' },
        { name: 'write', width: 4, slot: 'b' },
      ],
      written: true,
      length: 'fixed',
    },
    { number: 0, text: '0' },
  ]);
  assert.deepEqual(
    callOf(one(sys.openat(-100, { kind: 'decimal', prefix: '/proc/', slot: slot('pid') }, 0))).args,
    [
      { number: -100, text: 'AT_FDCWD' },
      { decimal: '/proc/', slot: 'pid', length: 'terminated' },
      { number: 0, text: 'O_RDONLY' },
      { number: 0, text: '000' },
    ],
  );
});

test('secrets are masked in arguments and text', () => {
  const plan = one(
    sys.execve('/x', ['x'], {
      kind: 'pointers',
      items: [{ kind: 'string', bytes: 'TOKEN=hunter2', secret: true }],
    }),
  );
  assert.ok(!planJson(plan, { arch: 'x86_64' }).includes('hunter2'));
  assert.ok(planJson(plan, { arch: 'x86_64', showSecrets: true }).includes('"TOKEN=hunter2"'));
});
