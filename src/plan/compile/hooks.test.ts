// Tests of the plans of hooks: what a hook has is what the configuration gives it, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Memory } from '../call.ts';
import { verify } from '../verify.ts';
import { hookRound } from './hook-wait.ts';
import { compileHook, type HookProgram } from './hooks.ts';

const PROGRAM: HookProgram = {
  title: 'prestart hook #0',
  cause: '/hooks/prestart/0',
  path: '/usr/bin/hook',
  args: ['zero', 'one'],
  env: ['A=b', 'C=d'],
  cwd: '/bundle',
  state: '{}',
};

function callsOf(steps: readonly { readonly calls: readonly Call[] }[], name: string): Call[] {
  return steps.flatMap(({ calls }) => calls).filter((each) => each.name === name);
}

function texts(memory: Memory | undefined): string[] {
  return memory?.kind === 'pointers'
    ? memory.items.map((item) => (item.kind === 'string' ? item.bytes : '?'))
    : ['not a list'];
}

function memoryAt(call: Call | undefined, index: number): Memory | undefined {
  const arg = call?.args[index];
  return arg?.kind === 'memory' ? arg.memory : undefined;
}

test('arguments and environment are the configured ones', () => {
  const [execve] = callsOf(compileHook(PROGRAM).steps, 'execve');
  assert.deepEqual(memoryAt(execve, 0), { kind: 'string', bytes: '/usr/bin/hook', secret: false });
  assert.deepEqual(texts(memoryAt(execve, 1)), ['zero', 'one']);
  assert.deepEqual(texts(memoryAt(execve, 2)), ['A=b', 'C=d']);
  assert.deepEqual(texts(memoryAt(callsOf(compileHook({ ...PROGRAM, env: [] }).steps, 'execve')[0], 2)), []);
});

test('a hook of the host joins nothing, and dies with its launcher', () => {
  const { steps } = compileHook(PROGRAM);
  assert.equal(callsOf(steps, 'setns').length, 0);
  const child = steps.filter(({ actor }) => actor === 'child').map(({ id }) => id);
  assert.deepEqual(child.slice(-2), ['death-signal', 'execute']);
  assert.equal(child[0], 'session');
});

test('output is collected, or appended to a file', () => {
  const collected = compileHook(PROGRAM);
  assert.ok(collected.outputs.stdout !== undefined && collected.outputs.stderr !== undefined);
  const written = compileHook({ ...PROGRAM, stdout: '/var/log/out' });
  assert.equal(written.outputs.stdout, undefined);
  assert.ok(written.outputs.stderr !== undefined);
  const [opened] = callsOf(written.steps, 'openat');
  assert.deepEqual(memoryAt(opened, 1), { kind: 'string', bytes: '/var/log/out', secret: false });
});

test('memory and slots of a hook are in order', () => {
  const about = new Set(['lengths-declared', 'slots-set-before-use', 'arguments-fit', 'slots-have-one-home']);
  assert.deepEqual(
    verify(compileHook(PROGRAM)).filter(({ constraint }) => about.has(constraint)),
    [],
  );
});

test('a round waits as long as is left, for what is still open', () => {
  const timed = hookRound(7, { stdout: 8, stderr: -1 }, 1500);
  const [poll] = callsOf(timed.steps, 'ppoll');
  assert.deepEqual(poll?.args[1], { kind: 'number', value: 3, format: 'dec' });
  const time = memoryAt(poll, 2);
  assert.deepEqual(time?.kind === 'struct' ? time.fields.map(({ value }) => value) : [], [1, 500_000_000]);
  assert.equal(callsOf(timed.steps, 'read').length, 1);
  assert.equal(callsOf(timed.steps, 'waitid').length, 1);

  const last = hookRound(7, { stdout: 8, stderr: 9 }, undefined, true);
  assert.equal(callsOf(last.steps, 'waitid').length, 0, 'it is reaped already');
  assert.equal(callsOf(last.steps, 'read').length, 2);
  assert.equal(memoryAt(callsOf(last.steps, 'ppoll')[0], 2), undefined, 'no time limit');
});
