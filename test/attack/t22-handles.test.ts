// T22: a directory of the host by its file handle ("shocker"): needs CAP_DAC_READ_SEARCH, which nobody has by default.
import assert from 'node:assert/strict';
import type { Arena } from './arena.ts';
import { attack } from './attack.ts';

function judge(output: string): string[] {
  return /^refused EPERM$/.test(output.trim()) ? [] : [output];
}

attack({
  id: 'T22',
  title: 'open_by_handle_at(2) of the canary is refused',
  modes: ['R'],
  caught: [['CAP_DAC_READ_SEARCH by default', 'R']],
  run: (arena: Arena) => {
    // The root file system and the canary are on the same file system, whose handles an attacker can guess.
    const handle = arena.asCaller([arena.probe, 'handle-of', arena.canary]).stdout.trim();
    assert.match(handle, /^\d+ [0-9a-f]+$/);
    const command = ['/bin/probe', 'by-handle', ...handle.split(' ')];
    const defaults = arena.runDefault([], command).stdout;
    const unfiltered = arena.runDefault(['--security-opt', 'seccomp=unconfined'], command).stdout;
    return [...judge(defaults), ...judge(unfiltered), ...judge(arena.ociOutput({}, command.join(' ')))];
  },
});
