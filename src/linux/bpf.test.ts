// Instruction encodings against bytes written by hand from the kernel headers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as bpf from './bpf.ts';

test('a classic instruction is code, jt, jf, k in little-endian order', () => {
  const code = bpf.BPF_JMP | bpf.BPF_JEQ | bpf.BPF_K;
  const bytes = bpf.encodeCbpf([{ code, jt: 3, jf: 255, k: 0xc000003e }]);
  assert.deepEqual([...bytes], [0x15, 0, 3, 255, 0x3e, 0, 0, 0xc0]);
  assert.deepEqual(bpf.decodeCbpf(bytes), [{ code: 0x15, jt: 3, jf: 255, k: 0xc000003e }]);
});

test('an eBPF instruction packs two registers in a byte and has a signed offset', () => {
  const code = bpf.BPF_LDX | bpf.BPF_MEM | bpf.BPF_W;
  const bytes = bpf.encodeEbpf([{ code, dst: 2, src: 1, off: -2, imm: 0xffffffff }]);
  assert.deepEqual([...bytes], [0x61, 0x12, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff]);
  assert.deepEqual(bpf.decodeEbpf(bytes), [{ code: 0x61, dst: 2, src: 1, off: -2, imm: -1 }]);
});

test('a view into a larger buffer is decoded at its own offset', () => {
  const bytes = new Uint8Array(24);
  bytes.set(bpf.encodeCbpf([{ code: 6, jt: 0, jf: 0, k: 0x7fff0000 }]), 16);
  assert.deepEqual(bpf.decodeCbpf(bytes.subarray(16)), [{ code: 6, jt: 0, jf: 0, k: 0x7fff0000 }]);
});

test('half an instruction is refused', () => {
  assert.throws(() => bpf.decodeCbpf(new Uint8Array(12)), RangeError);
  assert.throws(() => bpf.decodeEbpf(new Uint8Array(7)), RangeError);
});
