// What --debug tells of steps, with runc's words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slot } from '../plan/call.ts';
import { compile } from '../plan/compile.ts';
import { compileExec } from '../plan/compile-exec.ts';
import { ROOT_FACTS } from '../plan/facts.testing.ts';
import type { Plan } from '../plan/step.ts';
import { exampleSpec } from '../spec/defaults.ts';
import { logStep } from './stages.ts';

/** As the player tells them. */
function told({ steps }: Plan): string[] {
  const lines: string[] = [];
  for (const { actor, title } of steps) logStep({ debug: (line) => lines.push(line) }, `${actor}: ${title}`);
  return lines;
}

test('--debug tells the flags of a filter', () => {
  for (const [flags, number] of [
    [['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'], 2],
    [[], 0],
  ] as const) {
    const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', flags } as const;
    const spec = { ...exampleSpec(), linux: { ...exampleSpec().linux, seccomp } };
    const plan = compile(spec, ROOT_FACTS, { id: 'x', root: { steps: [], root: slot('root') } });
    assert.ok(told(plan).includes(`seccomp filter flags: ${number}`), told(plan).join('\n'));
  }
});

test('--debug tells the CPUs on which exec begins', () => {
  const process = {
    user: { uid: 0, gid: 0 },
    cwd: '/',
    args: ['/bin/true'],
    execCPUAffinity: { initial: '0,2-3,70' },
  };
  const target = { init: 7, pidfd: 5, lock: 4, namespaces: [] };
  const lines = told(compileExec(exampleSpec(), process, ROOT_FACTS, { id: 'x', target }));
  assert.ok(
    lines.some((line) => line.endsWith('nsexec: affinity: 0x40000000000000000d)')),
    lines.join('\n'),
  );
});
