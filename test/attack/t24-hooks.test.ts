// T24: hooks that are steered by an image or by the environment of the caller (CVE-2025-23266, CVE-2024-0132).
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Ended } from '../harness/caisson.ts';
import type { Arena } from './arena.ts';
import { attack } from './attack.ts';

/** Variables by which a program loads what it did not ask for. */
const STEERING: Readonly<Record<string, string>> = {
  LD_PRELOAD: '/evil.so',
  LD_LIBRARY_PATH: '/evil',
  LD_AUDIT: '/evil.so',
  GCONV_PATH: '/evil',
  NODE_OPTIONS: '--require=/evil.js',
  BASH_ENV: '/evil.sh',
  PATH: '/evil',
};
const ENTRIES = Object.entries(STEERING).map(([name, value]) => `${name}=${value}`);

const HOST_KINDS = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const;

/** Runs a bundle whose hooks of these kinds are one program; the result is what they have printed. */
function hooked(
  arena: Arena,
  kinds: readonly string[],
  hook: object,
  more: Record<string, unknown> = {},
): { readonly ended: Ended; readonly printed: string } {
  const file = `${arena.makeDirectory('printed')}/out`;
  const hooks = Object.fromEntries(kinds.map((kind) => [kind, [hook]]));
  const annotations = { 'run.oci.hooks.stdout': file };
  // The caller's PATH is needed to become the caller.
  const { PATH: _path, ...env } = STEERING;
  const ended = arena.oci({ annotations, hooks, ...more }, 'true', { env });
  return { ended, printed: existsSync(file) ? readFileSync(file, 'utf8') : '' };
}

/** What the environment holds that neither the hook nor the loader has put there. */
function environmentOf(arena: Arena): string[] {
  const process = { args: ['/bin/true'], env: ENTRIES };
  const none = hooked(arena, HOST_KINDS, { path: '/usr/bin/env', args: ['env'] }, { process });
  assert.equal(none.ended.code, 0, none.ended.stderr);
  const one = hooked(arena, HOST_KINDS, { path: '/usr/bin/env', args: ['env'], env: ['A=b'] }, { process });
  assert.equal(one.ended.code, 0, one.ended.stderr);
  return [
    ...(none.printed === '' ? [] : [`without an environment: ${none.printed}`]),
    ...(one.printed === 'A=b\n'.repeat(HOST_KINDS.length) ? [] : [`with A=b: ${one.printed}`]),
  ];
}

/** The image has a program at the path of the hook, and the root is the working directory of one. */
function pathOf(arena: Arena): string[] {
  const root = arena.image((path) => {
    mkdirSync(`${path}/usr/bin`, { recursive: true });
    writeFileSync(`${path}/usr/bin/printf`, '#!/bin/sh\necho evil\n');
    chmodSync(`${path}/usr/bin/printf`, 0o755);
  });
  const hook = { path: '/usr/bin/printf', args: ['printf', 'host\\n'] };
  const { ended, printed } = hooked(arena, HOST_KINDS, hook, { root: { path: root } });
  assert.equal(ended.code, 0, ended.stderr);
  return printed === 'host\n'.repeat(HOST_KINDS.length) ? [] : [`the image’s program ran: ${printed}`];
}

/** A startContainer hook is a program of the image: it has what the container has, and no descriptor of the host. */
function privilegesOf(arena: Arena): string[] {
  const process = { args: ['/bin/true'], capabilities: {}, noNewPrivileges: true };
  const script =
    'grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; for fd in /proc/self/fd/*; do echo $fd; done';
  const hook = { path: '/bin/sh', args: ['sh', '-c', script] };
  const { ended, printed } = hooked(arena, ['startContainer'], hook, { process });
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(printed, /CapEff/);
  const bad = printed
    .split('\n')
    .filter((line) => /^Cap.*[1-9a-f]/.test(line.replace(/^Cap...:/, 'Cap')) || line === 'NoNewPrivs:\t0');
  const descriptors = printed.split('\n').filter((line) => /\/fd\/([3-9]|[1-9]\d+)$/.test(line));
  return [
    ...bad.map((line) => `a startContainer hook has ${line}`),
    ...(descriptors.length > 1 ? [`descriptors: ${descriptors.join(' ')}`] : []),
  ];
}

attack({
  id: 'T24',
  title: 'hooks have the environment, the program and the privileges that the configuration gives them',
  modes: ['R', 'L', 'U'],
  caught: [
    ["hooks with the container's environment", 'R'],
    ['hooks of start with all privileges', 'R'],
  ],
  run: (arena) => [...environmentOf(arena), ...pathOf(arena), ...privilegesOf(arena)],
});
