// Tests of the system call tables with numbers from syscalls(2) and arch/*/entry/syscalls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syscalls as arm } from './arm.ts';
import { openFlags, syscallName, syscallNumber } from './index.ts';
import { syscalls as x32 } from './x32.ts';
import { syscalls as x86 } from './x86.ts';

const ARM = arm();
const X32 = x32();
const X86 = x86();

test('numbers differ by architecture', () => {
  assert.equal(syscallNumber('x86_64', 'read'), 0);
  assert.equal(syscallNumber('aarch64', 'read'), 63);
  assert.equal(syscallNumber('x86_64', 'mount'), 165);
  assert.equal(syscallNumber('aarch64', 'mount'), 40);
  assert.equal(X86.execve, 11);
  assert.equal(X86.socketcall, 102);
  assert.equal(ARM.cacheflush, 0xf0002);
  assert.equal(X32.execve, 0x40000000 + 520);
});

test('a system call since 5.1 has one number everywhere', () => {
  for (const arch of ['x86_64', 'aarch64'] as const) {
    assert.equal(syscallNumber(arch, 'clone3'), 435);
    assert.equal(syscallNumber(arch, 'mount_setattr'), 442);
    assert.equal(syscallNumber(arch, 'open_tree_attr'), 467);
    assert.equal(syscallNumber(arch, 'file_setattr'), 469);
  }
  assert.equal(X86.fchmodat2, 452);
  assert.equal(ARM.fchmodat2, 452);
  assert.equal(X32.fchmodat2, 0x40000000 + 452);
});

test('an absent system call throws and an unknown number has no name', () => {
  assert.throws(() => syscallNumber('aarch64', 'open'), /aarch64 has no system call named open/);
  assert.throws(() => syscallNumber('x86_64', 'toString' as 'read'), RangeError);
  assert.equal(syscallName('aarch64', 221), 'execve');
  assert.equal(syscallName('x86_64', 59), 'execve');
  assert.equal(syscallName('x86_64', 5000), undefined);
});

test('open flags differ by architecture', () => {
  assert.equal(openFlags('x86_64').O_DIRECTORY, 0o200000);
  assert.equal(openFlags('aarch64').O_DIRECTORY, 0o40000);
});
