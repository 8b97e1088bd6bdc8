// The CPUs of a process of exec: before it joins the cgroups, and after.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../../spec/defaults.ts';
import type { Process } from '../../spec/runtime-spec.ts';
import { compileExec } from '../compile-exec.ts';
import { ROOT_FACTS } from '../facts.testing.ts';
import { printCall } from '../print.ts';

/** Who sets the affinity: the launcher before the process is cloned, or the process itself. */
function affinity(execCPUAffinity: Process['execCPUAffinity']): string[] {
  const process = {
    user: { uid: 0, gid: 0 },
    cwd: '/',
    args: ['/bin/true'],
    ...(execCPUAffinity && { execCPUAffinity }),
  };
  const target = { init: 7, pidfd: 5, lock: 4, namespaces: [] };
  const { steps } = compileExec(exampleSpec(), process, ROOT_FACTS, { id: 'x', target });
  return steps.flatMap(({ actor, calls }) =>
    calls.filter((call) => printCall(call).startsWith('sched_setaffinity')).map(() => actor),
  );
}

test('affinity: with `initial` alone it is left to the kernel after the cgroups are joined', () => {
  assert.deepEqual(affinity({ initial: '0' }), ['parent']);
  assert.deepEqual(affinity({ initial: '0', final: '' }), ['parent']);
});

test('affinity: `final` is set by the process, and without any it may use all CPUs', () => {
  assert.deepEqual(affinity({ final: '0' }), ['child']);
  assert.deepEqual(affinity({ initial: '0', final: '0' }), ['parent', 'child']);
  assert.deepEqual(affinity(undefined), ['child']);
});
