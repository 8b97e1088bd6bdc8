// Tests of the container process state: JSON in pieces, whatever the texts in it are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { isSlot, type Memory, slot } from '../call.ts';
import { compile } from '../compile.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import type { AgentState } from './notify.ts';

const SECCOMP = {
  defaultAction: 'SCMP_ACT_ALLOW',
  listenerPath: '/run/agent.sock',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
} as const;

function planOf(more: Partial<Spec>, metadata?: string, agent?: AgentState) {
  const spec = exampleSpec();
  const seccomp = metadata === undefined ? SECCOMP : { ...SECCOMP, listenerMetadata: metadata };
  return compile({ ...spec, ...more, linux: { ...spec.linux, seccomp } }, ROOT_FACTS, {
    id: 'an id',
    root: { steps: [], root: slot('root') },
    ...(agent === undefined ? {} : { agent }),
  });
}

/** What the message says when every number in it is 42. */
function sent(plan: ReturnType<typeof planOf>): unknown {
  const calls = plan.steps.filter(({ id }) => id === 'notifier-send').flatMap((step) => step.calls);
  const arg = calls.find(({ name }) => name === 'sendmsg')?.args[1];
  assert.ok(arg?.kind === 'memory' && arg.memory.kind === 'struct');
  const iovec = arg.memory.fields.find(({ name }) => name === 'msg_iov')?.value;
  assert.ok(typeof iovec === 'object' && !isSlot(iovec) && iovec.kind === 'struct');
  const text = iovec.fields.map(({ value }) =>
    typeof value === 'object' && !isSlot(value) ? piece(value) : '',
  );
  return JSON.parse(text.join(''));
}

function piece(memory: Memory): string {
  if (memory.kind === 'decimal') return '42';
  assert.ok(memory.kind === 'buffer' && typeof memory.bytes === 'string');
  return memory.bytes;
}

test('a container that is created', () => {
  const agent = { bundle: '/a "bundle"', status: 'creating' as const };
  assert.deepEqual(sent(planOf({ annotations: { 'a"b': '\\' } }, 'text\n"quoted"', agent)), {
    ociVersion: exampleSpec().ociVersion,
    fds: ['seccompFd'],
    pid: 42,
    metadata: 'text\n"quoted"',
    state: {
      ociVersion: exampleSpec().ociVersion,
      id: 'an id',
      status: 'creating',
      pid: 42,
      bundle: '/a "bundle"',
      annotations: { 'a"b': '\\' },
    },
  });
});

test('a process of exec: the pid is its own, that of the state the container’s', () => {
  const state = sent(planOf({}, undefined, { bundle: '/b', status: 'running', pid: 7 }));
  assert.deepEqual(state, {
    ociVersion: exampleSpec().ociVersion,
    fds: ['seccompFd'],
    pid: 42,
    state: { ociVersion: exampleSpec().ociVersion, id: 'an id', status: 'running', pid: 7, bundle: '/b' },
  });
});
