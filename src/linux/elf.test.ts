// Tests of executable headers, with the first bytes of real programs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { executableFormat, foreignReason } from './elf.ts';

/** The first 20 bytes of an ELF header. */
function elf(elfClass: number, data: number, machine: number, osabi = 0): string {
  const half = (value: number) =>
    data === 1
      ? String.fromCharCode(value & 0xff, value >> 8)
      : String.fromCharCode(value >> 8, value & 0xff);
  return `\x7fELF${String.fromCharCode(elfClass, data, 1, osabi)}${'\0'.repeat(8)}${half(3)}${half(machine)}`;
}

test('/bin/true of Debian 12 on x86-64', () => {
  assert.deepEqual(executableFormat('\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0'), {
    kind: 'elf',
    class: 64,
    littleEndian: true,
    osabi: 0,
    type: 3,
    machine: 62,
    machineName: 'x86-64',
  });
});

test('machine names depend on class and byte order', () => {
  const name = (header: string): string => {
    const format = executableFormat(header);
    return format.kind === 'elf' ? format.machineName : format.kind;
  };
  assert.equal(name(elf(2, 1, 183)), 'arm64');
  assert.equal(name(elf(1, 1, 3)), '386');
  assert.equal(name(elf(1, 1, 40)), 'arm');
  assert.equal(name(elf(1, 1, 62)), 'x32');
  assert.equal(name(elf(2, 1, 243)), 'riscv64');
  assert.equal(name(elf(2, 1, 21)), 'ppc64le');
  assert.equal(name(elf(2, 2, 21)), 'ppc64');
  assert.equal(name(elf(2, 2, 22)), 's390x');
  assert.equal(name(elf(1, 1, 8)), 'mipsle');
  assert.equal(name(elf(2, 1, 0x1234)), 'machine 4660');
});

test('what is not ELF', () => {
  assert.equal(executableFormat('#!/bin/sh\n').kind, 'script');
  assert.equal(executableFormat('MZ\x90\0\x03').kind, 'windows');
  assert.equal(executableFormat('\xcf\xfa\xed\xfe\x07\0\0\x01').kind, 'macos');
  assert.equal(executableFormat('\xca\xfe\xba\xbe\0\0\0\x02').kind, 'macos');
  assert.equal(executableFormat('\xca\xfe\xba\xbe\0\0\0\x34').kind, 'unknown');
  assert.equal(executableFormat('').kind, 'unknown');
  assert.equal(executableFormat('\x7fELF\x02\x01').kind, 'unknown');
  assert.equal(executableFormat(elf(3, 1, 62)).kind, 'unknown');
});

test('why a program cannot run here', () => {
  const reason = (header: string, host: 'x86_64' | 'aarch64') =>
    foreignReason(executableFormat(header), host);
  assert.equal(
    reason(elf(2, 1, 183), 'x86_64'),
    "is a program for arm64, and this host's processor is x86-64",
  );
  assert.equal(
    reason(elf(2, 1, 62), 'aarch64'),
    "is a program for x86-64, and this host's processor is arm64",
  );
  assert.match(reason('MZ', 'x86_64') ?? '', /Windows/);
  assert.equal(reason(elf(2, 1, 62), 'x86_64'), undefined);
  assert.equal(reason(elf(1, 1, 3), 'x86_64'), undefined);
  assert.equal(reason('#!/bin/sh', 'x86_64'), undefined);
});
