// What `spec` writes where the host has cgroup v2 alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import { withCgroupNamespace } from './spec.ts';

test('a cgroup namespace comes last, and before one of users', () => {
  const types = (rootless: boolean) =>
    withCgroupNamespace(exampleSpec(rootless ? { uid: 1, gid: 1 } : undefined)).linux?.namespaces?.map(
      ({ type }) => type,
    );
  assert.deepEqual(types(false), ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']);
  assert.deepEqual(types(true), ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user']);
});
