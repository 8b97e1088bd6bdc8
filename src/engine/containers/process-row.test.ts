// A process in the columns of ps(1), and what it cannot do to a terminal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Port } from '../../host/port.ts';
import { BSD, BY_DESCRIPTOR, BY_SPECIFIER, FULL } from './process-columns.ts';
import { type ProcessSurroundings, printable, readProcess } from './process-row.ts';

const STAT =
  '42 (a) b) S 7 42 42 34817 42 4194560 1 2 3 4 150 50 0 0 20 0 3 0 90000 2560000 337 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0';
const STATUS =
  'Name:\ta) b\nState:\tS (sleeping)\nPid:\t42\nPPid:\t7\nTracerPid:\t0\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t6\t6\nGroups:\t\nNSpid:\t42\t1\nVmLck:\t0 kB\nThreads:\t3\nCapInh:\t0\nCapPrm:\t1\nCapEff:\t2\nCapBnd:\t3\nCapAmb:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n';

function portOf(cmdline: string): Port {
  const files: Record<string, string> = { stat: STAT, status: STATUS, cmdline };
  return { readFile: (path: string) => files[path.split('/').at(-1) ?? ''] } as unknown as Port;
}

/** 2026-12-01T12:00:00Z, 2,000 seconds after the boot. */
const AROUND: ProcessSurroundings = {
  now: Date.parse('2026-12-01T12:00:00Z'),
  uptime: 2000,
  memory: 1 << 30,
  users: new Map([
    [0, 'root'],
    [1000, 'averylongname'],
  ]),
  groups: new Map([[6, 'wheel']]),
};

test('a process in the columns of ps', () => {
  const process = readProcess(portOf('prog\0--flag\0x y\0'), 42);
  assert.ok(process !== undefined);
  const row = (columns: typeof FULL) =>
    Object.fromEntries(columns.map(({ head, show }) => [head, show(process, AROUND)]));
  const { STIME: _, ...full } = row(FULL);
  assert.deepEqual(full, {
    UID: 'root',
    PID: '42',
    PPID: '7',
    C: '0',
    TTY: 'pts/1',
    TIME: '00:00:02',
    CMD: 'prog --flag x y',
  });
  const { VSZ, RSS, STAT: state, '%MEM': memory } = row(BSD);
  assert.deepEqual([VSZ, RSS, state, memory], ['2500', '1348', 'Ssl+', '0.1']);
  const of = (map: typeof BY_SPECIFIER, name: string) => map.get(name)?.show(process, AROUND);
  assert.equal(of(BY_SPECIFIER, 'ruser'), 'averylo+');
  assert.equal(of(BY_SPECIFIER, 'etime'), '18:20');
  assert.equal(of(BY_SPECIFIER, 'pid'), '42');
  assert.equal(of(BY_DESCRIPTOR, 'pid'), '1');
  assert.equal(of(BY_DESCRIPTOR, 'hpid'), '42');
  assert.equal(of(BY_DESCRIPTOR, 'seccomp'), 'filter');
});

test('a process without arguments has its name in brackets, whatever is in that', () => {
  assert.equal(readProcess(portOf(''), 42)?.args, '[a) b]');
});

test('no name reaches the terminal as it is (T33)', () => {
  assert.equal(readProcess(portOf('\x1b]0;evil\x07\0\r\n\0'), 42)?.args, '?]0;evil? ??');
  // The control characters of ISO 6429 beyond ASCII, which are two bytes in UTF-8; other text stays.
  assert.equal(printable('\xc2\x9b31m \xc3\xa9'), '?31m \xc3\xa9');
});
