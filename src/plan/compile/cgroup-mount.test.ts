// What a mount of type cgroup shows on cgroup v2: the whole tree, or the container's own part.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import type { LinuxNamespace, Spec } from '../../spec/runtime-spec.ts';
import { slot } from '../call.ts';
import { compile } from '../compile.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import { printPlan } from '../print.ts';

const MAP = [{ containerID: 0, hostID: 100000, size: 65536 }];

function shown(more: readonly LinuxNamespace[], initialUserNamespace = true): string | undefined {
  const plain = exampleSpec();
  const namespaces = (plain.linux?.namespaces ?? []).filter(({ type }) => type !== 'cgroup');
  const user = more.some(({ type }) => type === 'user');
  const spec: Spec = {
    ...plain,
    linux: {
      ...plain.linux,
      namespaces: [...namespaces, ...more],
      ...(user ? { uidMappings: MAP, gidMappings: MAP } : {}),
    },
  };
  const hierarchies = [{ base: '/sys/fs/cgroup', path: '/sys/fs/cgroup/box', version: 2 as const }];
  const plan = compile(
    spec,
    { ...ROOT_FACTS, initialUserNamespace },
    {
      id: 'x',
      root: { steps: [], root: slot('root') },
      cgroup: { create: [], join: [], release: [], hierarchies },
    },
  );
  return /open_tree\(AT_FDCWD, "(\/sys\/fs\/cgroup[^"]*)"/.exec(printPlan(plan, { calls: true }))?.[1];
}

test('cgroup mount: without a cgroup namespace it is the whole tree', () => {
  assert.equal(shown([]), '/sys/fs/cgroup');
});

test('cgroup mount: with one, and in any user namespace, it is the own part', () => {
  assert.equal(shown([{ type: 'cgroup' }]), '/sys/fs/cgroup/box');
  assert.equal(shown([{ type: 'cgroup', path: '/proc/7/ns/cgroup' }]), '/sys/fs/cgroup/box');
  assert.equal(shown([{ type: 'user' }]), '/sys/fs/cgroup/box');
  assert.equal(shown([], false), '/sys/fs/cgroup/box');
});
