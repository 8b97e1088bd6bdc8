// The lines of ps(1) that belong to a container.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf } from './ps.ts';

const OUTPUT = `UID        PID  PPID CMD
root         1     0 init
root        12     1 sh -c 1
root       120     1 sleep 12
`;

test('by the column PID, wherever it is', () => {
  assert.equal(linesOf(OUTPUT, new Set(['12'])), 'UID        PID  PPID CMD\nroot        12     1 sh -c 1\n');
  assert.equal(linesOf('  PID TTY\n    7 ?\n   77 ?\n', new Set(['7'])), '  PID TTY\n    7 ?\n');
  assert.equal(linesOf(OUTPUT, new Set()), 'UID        PID  PPID CMD\n');
});

test('output without that column', () => {
  assert.throws(() => linesOf('COMMAND\nsh\n', new Set(['1'])), /couldn't find PID field in ps output/);
});
