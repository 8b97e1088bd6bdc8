// Tests of /proc/PID/status and stat, with hostile process names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProcessStat, parseProcessStatus, statusField } from './proc-status.ts';

const STATUS = `Name:\tevil\\nUid:\\\\0
Umask:\t0022
State:\tZ (zombie)
Tgid:\t120
Ngid:\t0
Pid:\t121
PPid:\t1
TracerPid:\t7
Uid:\t1000\t1001\t1002\t1003
Gid:\t100\t100\t100\t100
FDSize:\t64
Groups:\t4 24 1000 
NStgid:\t120\t5
NSpid:\t121\t6
Threads:\t3
CapInh:\t0000000000000000
CapPrm:\t000001ffffffffff
CapEff:\t00000000a80425fb
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
`;

test('status', () => {
  const status = parseProcessStatus(STATUS);
  assert.equal(status.name, 'evil\nUid:\\0');
  assert.equal(status.state, 'Z');
  assert.equal(status.pid, 121);
  assert.equal(status.parent, 1);
  assert.equal(status.tracer, 7);
  assert.deepEqual(status.uids, [1000, 1001, 1002, 1003]);
  assert.deepEqual(status.groups, [4, 24, 1000]);
  assert.deepEqual(status.namespacePids, [121, 6]);
  assert.equal(status.capabilities.effective, 0xa80425fbn);
  assert.equal(status.capabilities.bounding, 2n ** 41n - 1n);
  assert.equal(status.noNewPrivs, true);
  assert.equal(status.seccomp, 2);
});

test('a field is found at the start of its line only', () => {
  assert.equal(statusField(STATUS, 'Pid'), '121');
  assert.equal(statusField(STATUS, 'id'), undefined);
  assert.equal(statusField(STATUS, 'Name'), 'evil\\nUid:\\\\0');
  assert.equal(statusField('Groups:\t\nX:\t1', 'Groups'), '');
  assert.equal(statusField('Groups:\t\nX:\t1', 'X'), '1');
  assert.deepEqual(parseProcessStatus('Groups:\t\nX:\t1').groups, []);
});

test('stat of a process whose name has spaces and parentheses', () => {
  const stat = parseProcessStat(
    '4242 (a) R 1 (b) S 17 4242 4240 34816 4242 4194304 95 0 0 0 0 0 0 0 20 0 1 0 987654321 2703360 372 ' +
      '18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n',
  );
  assert.deepEqual(stat, {
    pid: 4242,
    name: 'a) R 1 (b',
    state: 'S',
    parent: 17,
    processGroup: 4242,
    session: 4240,
    startTime: 987654321,
  });
  assert.throws(() => parseProcessStat('12 (sh) S 1'), SyntaxError);
  assert.throws(() => parseProcessStat(''), SyntaxError);
});
