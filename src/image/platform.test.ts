// Tests of the reasons why a root cannot run here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foreignPlatform, type Witness } from './platform.ts';

/** The start of a 64-bit little-endian ELF program for a machine. */
function elf(machine: number, osabi = 0): string {
  const low = String.fromCharCode(machine & 0xff, machine >> 8);
  return `\x7fELF\x02\x01\x01${String.fromCharCode(osabi)}${'\0'.repeat(8)}\x02\0${low}`.padEnd(64, '\0');
}

const X86_64 = elf(62);
const ARM64 = elf(183);

function reason(witnesses: readonly Witness[], host: 'x86_64' | 'aarch64' = 'x86_64', system?: string) {
  return foreignPlatform({ witnesses, system }, host, '--rootfs');
}

test('a program for another processor, with the way out', () => {
  const error = reason([{ path: 'bin/true', header: ARM64 }]);
  assert.equal(
    error?.message,
    "containers share this host's kernel (Linux x86-64); this root's /bin/true is an arm64 program",
  );
  assert.ok(error?.details[0]?.includes('qemu-aarch64 by binfmt_misc'));
  assert.deepEqual([error?.exitCode, error?.code, error?.provenance], [126, 'EPLATFORM', ['--rootfs']]);
  assert.ok(
    reason([{ path: 'bin/sh', header: X86_64 }], 'aarch64')?.message.includes('is an x86-64 program'),
  );
  assert.ok(reason([{ path: 'bin/sh', header: elf(243) }])?.message.includes('is a riscv64 program'));
});

test('what this host runs is no reason', () => {
  assert.equal(
    reason([
      { path: 'bin/true', header: X86_64 },
      { path: 'bin/sh', header: ARM64 },
    ]),
    undefined,
  );
  assert.equal(reason([{ path: 'bin/true', header: elf(3) }]), undefined);
  assert.equal(reason([{ path: 'bin/sh', header: ARM64 }], 'aarch64'), undefined);
  assert.equal(reason([]), undefined);
  assert.equal(reason([{ path: 'bin/true', header: '\x7fEL' }]), undefined);
});

test('a script says nothing, the next program does', () => {
  const witnesses = [
    { path: 'run', header: '#!/bin/sh\n' },
    { path: 'bin/sh', header: ARM64 },
  ];
  assert.ok(reason(witnesses)?.message.includes('/bin/sh is an arm64 program'));
});

test('another operating system, by its programs or by its directories', () => {
  assert.ok(
    reason([{ path: 'cmd.exe', header: 'MZ\x90\0' }])?.message.endsWith('/cmd.exe is a Windows program'),
  );
  assert.ok(reason([{ path: 'bin/sh', header: elf(62, 9) }])?.message.includes('a FreeBSD program'));
  assert.ok(reason([], 'x86_64', 'Windows')?.message.endsWith('this root is a Windows system'));
});
