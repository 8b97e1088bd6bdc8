// Properties of exec: whatever the configuration, a process that joins keeps every constraint.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LinuxNamespaceType, Process } from '../spec/runtime-spec.ts';
import { slot } from './call.ts';
import { compileExec } from './compile-exec.ts';
import { compiledPlans } from './specification.testing.ts';
import { step } from './step.ts';
import * as sys from './syscalls.ts';
import { verifyExec } from './verify.ts';

const PROCESS: Process = { user: { uid: 1000, gid: 1000 }, cwd: '/srv', args: ['/bin/true'] };

const target = { init: 7, pidfd: 5, lock: 4 };

function cgroup() {
  const procs = slot('procs');
  const open = step('parent', 'cgroup-open', 'open', 'default', [
    sys.openat(sys.AT_FDCWD, '/tasks', 0o2000001, 0, { result: procs }),
  ]);
  const join = step('child', 'cgroup-join', 'join', 'default', [sys.write(procs, '0')]);
  return { create: [open], join: [join], release: [], hierarchies: [] };
}

test('every compiled exec keeps every constraint', () => {
  const types = fc.subarray<LinuxNamespaceType>([
    'pid',
    'network',
    'ipc',
    'uts',
    'user',
    'cgroup',
    'time',
    'mount',
  ]);
  fc.assert(
    fc.property(compiledPlans, types, fc.boolean(), ({ spec: made, facts }, namespaces, joins) => {
      const process = made.process ?? PROCESS;
      const options = { id: 'x', target: { ...target, namespaces }, ...(joins ? { cgroup: cgroup() } : {}) };
      assert.deepEqual(verifyExec(compileExec(made, process, facts, options)), []);
    }),
    { numRuns: 100 },
  );
});
